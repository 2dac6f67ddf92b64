// Whether a file is a mailbox of many messages (mbox, RFC 4155), judged by its first bytes alone. Such a file is never
// moved or deleted whole: one infected message is no reason to take a person's mail away.
#pragma once

#include <string_view>

namespace clamscanner {

inline constexpr std::size_t mailbox_head = 4096;  // how many bytes looks_like_mailbox() wants to see

// A "From " line, and a header field in the line after it. `head` is foreign bytes.
[[nodiscard]] bool looks_like_mailbox(std::string_view head) noexcept;

}  // namespace clamscanner
