// Limits of what crosses more than one boundary between processes; of texts, in bytes.
#pragma once

#include <cstddef>

namespace clamscanner {

inline constexpr std::size_t most_descriptors = 16;    // of one packet
inline constexpr std::size_t longest_user_name = 256;  // LOGIN_NAME_MAX
inline constexpr std::size_t longest_address = 64;
inline constexpr std::size_t longest_mail_address = 254;  // RFC 5321's path without its brackets
inline constexpr std::size_t longest_action = 128;        // of the statistics interface
inline constexpr std::size_t longest_token_name = 50;
inline constexpr std::size_t most_tokens_per_account = 100;  // whatever the configuration says

}  // namespace clamscanner
