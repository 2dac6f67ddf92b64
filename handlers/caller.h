// Whose request a function answers, and what it has to answer it with.
#pragma once

#include <string>

#include "auth/config.h"
#include "handlers/jobs.h"

namespace clamscanner {

struct Caller {
    const Config& config;
    const std::string& home;
    Jobs& jobs;
};

}  // namespace clamscanner
