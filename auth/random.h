// Random names and keys, from the kernel.
#pragma once

#include <cstddef>
#include <string>

namespace clamscanner {

// `count` random bytes as lower-case hex digits (2 × count characters).
[[nodiscard]] std::string random_hex(std::size_t count);

[[nodiscard]] std::string hex(const void* bytes, std::size_t count);

}  // namespace clamscanner
