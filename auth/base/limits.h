// Limits of texts that cross more than one boundary between processes, in bytes.
#pragma once

#include <cstddef>

namespace clamscanner {

inline constexpr std::size_t longest_user_name = 256;  // LOGIN_NAME_MAX
inline constexpr std::size_t longest_address = 64;
inline constexpr std::size_t longest_action = 128;  // of the statistics interface

}  // namespace clamscanner
