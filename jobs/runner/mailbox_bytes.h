// What cleansing a mailbox and putting a message back have in common: a mailbox read as a whole, its messages, and its
// bytes written over in place. Run by the runner, as the account's own user.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/runner/mailbox_lock.h"
#include "jobs/runner/mbox.h"

namespace clamscanner {

// How long a mailbox's locks are waited for. Deliveries hold them for a moment.
inline constexpr auto lock_patience = std::chrono::seconds(30);
// A mailbox is read into memory. Nothing so large is scanned unless the administrator raised the limits.
inline constexpr std::size_t largest_mailbox = 512 * 1024 * 1024;

// All of these throw Stopped (careful_moves.h), in words for the owner, for what the file system refuses.

// `still_waiting` is called every few seconds meanwhile.
[[nodiscard]] MailboxLock lock_mailbox(int directory, const std::string& name,
                                       const std::function<void()>& still_waiting,
                                       std::chrono::seconds patience = lock_patience);
[[nodiscard]] std::string read_all(int file);
// Empty where it is no mailbox, or an empty one.
[[nodiscard]] std::vector<MessageRange> messages_of(int file);
[[nodiscard]] inline std::string_view bytes_of(std::string_view mailbox, const MessageRange& range) noexcept {
    return mailbox.substr(range.begin, range.end - range.begin);
}

// Makes `is` into `wanted`, in place: what differs is written and synced, then the file is cut to its length and synced
// again, so that no power loss leaves it shorter without the bytes that belong before its end. From the first
// difference on, at each moment a byte is the old or the new one.
void rewrite(int file, std::string_view is, std::string_view wanted);

}  // namespace clamscanner
