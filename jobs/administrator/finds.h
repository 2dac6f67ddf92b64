// clamscanner-scan's look at what was found in all accounts, and what it does about it.
#pragma once

#include <string>

#include "jobs/client/jobs.h"

namespace clamscanner {

// Prints what the accounts' last scans found by the signature, "" for all, and is there still. Gives the exit status.
[[nodiscard]] int show_finds(Jobs& jobs, const std::string& signature, bool json);

// Prints what would be put into quarantine; or has it done, account by account, waits for the ends and prints them.
// Gives the exit status: 0, 1 if something was not done, or 75 if an account stayed busy.
[[nodiscard]] int quarantine_finds(Jobs& jobs, const std::string& signature, bool really, bool json);

}  // namespace clamscanner
