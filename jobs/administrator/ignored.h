// clamscanner-scan's list of what is ignored in all accounts although it is found.
#pragma once

#include "auth/base/command_line.h"
#include "jobs/client/jobs.h"

namespace clamscanner {

// --ignore list, add or remove. Gives the exit status; throws UsageError and Refusal.
[[nodiscard]] int ignore(Jobs& jobs, const CommandLine& line, bool json);

}  // namespace clamscanner
