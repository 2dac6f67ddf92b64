// Addresses that mails may go to.
#pragma once

#include <algorithm>
#include <string_view>

#include "auth/base/limits.h"

namespace clamscanner {

// An address as people have them: letters, digits and a few signs, "@" and a domain. None of RFC 5321's other forms
// (quoted, literal, internationalised), so it can stand in a header, between angle brackets, and in SMTP as it is.
[[nodiscard]] constexpr bool is_mail_address(std::string_view text) noexcept {
    constexpr std::size_t longest_local_part = 64;
    constexpr std::size_t longest_label = 63;
    const auto is_one_of = [](char c, std::string_view more) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               more.find(c) != std::string_view::npos;
    };
    // Parts with dots between them, none of them empty.
    const auto has_parts = [&](std::string_view parts, std::string_view more, std::size_t longest) {
        while (true) {
            const auto part = parts.substr(0, parts.find('.'));
            if (part.empty() || part.size() > longest ||
                !std::ranges::all_of(part, [&](char c) { return is_one_of(c, more); }))
                return false;
            if (part.size() == parts.size()) return true;
            parts.remove_prefix(part.size() + 1);
        }
    };
    const auto at = text.find('@');
    if (at == std::string_view::npos || text.size() > longest_mail_address) return false;
    const auto local = text.substr(0, at);
    const auto domain = text.substr(at + 1);
    return local.size() <= longest_local_part && has_parts(local, "!#$%&'*+-/=?^_`{|}~", longest_local_part) &&
           has_parts(domain, "-", longest_label) && !domain.starts_with('-') && !domain.ends_with('-');
}

}  // namespace clamscanner
