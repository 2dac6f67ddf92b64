// JSON laid out for people to read.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

// `json` is our own. The values stay as they are to the byte, escapes of file names included.
[[nodiscard]] std::string laid_out(std::string_view json);

}  // namespace clamscanner
