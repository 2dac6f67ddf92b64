// A quarantine record (quarantine_record.h) as JSON: written by the runner, for the owner to read and for a runner that
// finds it in a home that has moved. Run by the runner; what is read is foreign.
#pragma once

#include <string>
#include <string_view>

#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

// One JSON object with a line end. Times are decimal texts in seconds with nine decimal places; the values of extended
// attributes are in hex.
[[nodiscard]] std::string quarantine_json(const QuarantineRecord& record);

inline constexpr std::size_t longest_quarantine_json = 1024 * 1024;
// Members that it does not know are ignored. All limits of the record's parts are kept. Throws Malformed.
[[nodiscard]] QuarantineRecord read_quarantine_json(std::string_view json);

}  // namespace clamscanner
