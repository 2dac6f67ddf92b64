// A record of a disinfection as JSON: what check_disinfection_status answers and the log in the home holds, so that
// both are the same to the byte. Agents and runners use it.
#pragma once

#include <string>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// One JSON object, without a line end.
[[nodiscard]] std::string record_line(const Record& record);

}  // namespace clamscanner
