// The name in the quarantine of a mail message that was taken out of a mailbox. The name shows that it is restored into
// its mailbox, and not as a file of its own.
#pragma once

#include <string>
#include <string_view>

#include "auth/base/random.h"

namespace clamscanner {

inline constexpr std::string_view mail_ending = ".eml";
inline constexpr std::size_t opaque_name_length = 32;

// 32 characters, like every opaque name.
[[nodiscard]] inline std::string mail_name() {
    return random_hex(14).append(mail_ending);
}

[[nodiscard]] inline bool is_mail(std::string_view opaque) noexcept {
    return opaque.ends_with(mail_ending);
}

// Whether the quarantine may hold a file of that name: hex digits, or a mail_name().
[[nodiscard]] inline bool is_opaque_name(std::string_view name) noexcept {
    if (name.size() != opaque_name_length) return false;
    if (is_mail(name)) name.remove_suffix(mail_ending.size());
    return name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace clamscanner
