// A quarantine record (quarantine_record.h) as JSON: written by the runner, for the owner to read.
#pragma once

#include <string>

#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

// One JSON object with a line end. Times are decimal texts in seconds with nine decimal places; the values of extended
// attributes are in hex.
[[nodiscard]] std::string quarantine_json(const QuarantineRecord& record);

}  // namespace clamscanner
