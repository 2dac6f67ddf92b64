// The name in the quarantine of a mail message that was taken out of a mailbox. The name shows that it is restored into
// its mailbox, and not as a file of its own.
#pragma once

#include <string>
#include <string_view>

#include "auth/base/random.h"

namespace clamscanner {

inline constexpr std::string_view mail_ending = ".eml";

// 32 characters, like every opaque name.
[[nodiscard]] inline std::string mail_name() {
    return random_hex(14).append(mail_ending);
}

[[nodiscard]] inline bool is_mail(std::string_view opaque) noexcept {
    return opaque.ends_with(mail_ending);
}

}  // namespace clamscanner
