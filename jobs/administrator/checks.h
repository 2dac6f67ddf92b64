// What is wrong with an installation, and what to do about it. Run as jobd's user.
#pragma once

#include <vector>

#include "jobs/administrator/health.h"

namespace clamscanner {

[[nodiscard]] std::vector<Problem> installation_problems(const Settings& settings);

}  // namespace clamscanner
