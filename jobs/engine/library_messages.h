// What an error message of libclamav is about. The library does not say: it has one severity for a damaged file and for
// a full disk, and its results show neither.
#pragma once

#include <string_view>

namespace clamscanner {

// Whether the message is about the bytes that were scanned. Any other error is taken to be one of this machine or
// process.
[[nodiscard]] bool is_about_the_input(std::string_view message) noexcept;

}  // namespace clamscanner
