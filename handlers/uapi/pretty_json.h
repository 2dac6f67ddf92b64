// Pretty-prints JSON for people.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

// `json` is our own. Values stay the same byte for byte, including the escapes in file names.
[[nodiscard]] std::string pretty_printed(std::string_view json);

}  // namespace clamscanner
