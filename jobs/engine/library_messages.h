// What an error message of libclamav is about. The library does not say: it has one severity for a damaged file and for
// a full disk, and its results show neither.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

// A message as a line of the log: without the line end that the library puts behind it, and escaped, since the library
// reads hostile bytes. Empty when nothing is left: it frames some messages with lines of stars.
[[nodiscard]] std::string loggable(std::string_view message);

// Whether the message is about the bytes that were scanned. Any other error is taken to be one of this machine or
// process.
[[nodiscard]] bool is_about_the_input(std::string_view message) noexcept;

}  // namespace clamscanner
