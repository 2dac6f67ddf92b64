// The account whose request a function answers, and what the function needs for that.
#pragma once

#include <string>
#include <string_view>

#include "jobs/client/jobs.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

struct Caller {
    const Settings& config;
    const std::string& home;
    Jobs& jobs;
    std::string_view user = {};  // by name; only the statistics use it
    // Kept open by every process that is started for a request: whoever has its other end sees when they are gone. -1:
    // nobody.
    int lifeline = -1;
    Asker asker = {};       // for what is asked of jobd
    Voucher voucher = {};   // for what weakens the account's protection
    bool may_wait = true;   // for a job, for some seconds; else the answer says that it is not done yet
    Jobs* fleet = nullptr;  // clamscanner-fleetd, at the centre of many machines
};

}  // namespace clamscanner
