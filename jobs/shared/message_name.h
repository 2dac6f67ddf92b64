// How a message that was taken out of a mailbox is called in the quarantine: by its name it is known that it goes back
// into its mailbox, as a message, and not to a place of its own.
#pragma once

#include <string>
#include <string_view>

#include "auth/base/random.h"

namespace clamscanner {

inline constexpr std::string_view message_ending = ".eml";

// 32 characters, as any opaque name.
[[nodiscard]] inline std::string message_name() {
    return random_hex(14).append(message_ending);
}

[[nodiscard]] inline bool is_message(std::string_view opaque) noexcept {
    return opaque.ends_with(message_ending);
}

}  // namespace clamscanner
