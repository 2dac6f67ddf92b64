// The kinds of characters that matter in mailboxes, independent of the locale.
#pragma once

namespace clamscanner {

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

[[nodiscard]] constexpr bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t';
}

}  // namespace clamscanner
