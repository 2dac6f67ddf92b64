// Shared by cleansing a mailbox and putting a message back: locks a mailbox, reads all of it, splits it into messages,
// and rewrites it in place. Run by the runner, as the account's own user.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/runner/mailbox_lock.h"
#include "jobs/runner/mbox.h"

namespace clamscanner {

// How long to wait for a mailbox's locks. Deliveries hold them only briefly.
inline constexpr auto lock_patience = std::chrono::seconds(30);
// A mailbox is read into memory. Larger ones are scanned only if the administrator has raised the limits.
inline constexpr std::size_t largest_mailbox = 512 * 1024 * 1024;

// All of these throw Stopped (careful_moves.h), with a text for the owner, if the file system refuses something.

// `still_waiting` is called every few seconds during the wait.
[[nodiscard]] MailboxLock lock_mailbox(int directory, const std::string& name,
                                       const std::function<void()>& still_waiting,
                                       std::chrono::seconds patience = lock_patience);
[[nodiscard]] std::string read_all(int file);
// Empty if the file is not a mailbox, or is empty.
[[nodiscard]] std::vector<MailRange> mail_in(int file);
[[nodiscard]] inline std::string_view bytes_of(std::string_view mailbox, const MailRange& range) noexcept {
    return mailbox.substr(range.begin, range.end - range.begin);
}

// Changes the file's content from `is` to `wanted` in place: writes and syncs everything from the first difference on,
// then truncates the file and syncs it again, so that a power loss never leaves it truncated but not rewritten. At
// every moment each byte is the old or the new one.
void rewrite(int file, std::string_view is, std::string_view wanted);

}  // namespace clamscanner
