// A quarantine record as JSON (jobs/shared/quarantine_record.h): made by the runner, for the owner to read.
#pragma once

#include <string>

#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

// One JSON object with a line end. Times are decimal texts in seconds with nine places; values of extended attributes
// are hex.
[[nodiscard]] std::string quarantine_json(const QuarantineRecord& record);

}  // namespace clamscanner
