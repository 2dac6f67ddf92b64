// A record of a disinfection as JSON, for the answer of check_disinfection_status and for the log in the home, so that
// both are identical. Used by agents and runners.
#pragma once

#include <string>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// One JSON object, without a line end.
[[nodiscard]] std::string record_line(const Record& record);

}  // namespace clamscanner
