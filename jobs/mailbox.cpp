#include "jobs/mailbox.h"

#include <algorithm>

namespace clamscanner {
namespace {

// RFC 5322, 2.2: a field name is printable ASCII without colon and blank, then a colon. Continued "From " lines as some
// tools write them (">From ") count as a field too.
bool is_header_field(std::string_view line) noexcept {
    if (line.starts_with(">From ")) return true;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    return std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon),
                       [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

bool looks_like_mailbox(std::string_view head) noexcept {
    // Empty lines before the first message do no harm to the programs that read mailboxes; so not to us either.
    while (head.starts_with('\n') || head.starts_with("\r\n")) head.remove_prefix(head.front() == '\n' ? 1 : 2);
    if (!head.starts_with("From ")) return false;
    const auto end = head.find('\n');
    return end != std::string_view::npos && is_header_field(head.substr(end + 1));
}

}  // namespace clamscanner
