// Puts a message back into the mailbox that it was taken from, at the end, as the account's own user.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

// `message` is open for reading and holds the message as it was in the mailbox. A missing mailbox is created with
// `mode`. Does nothing if the mailbox has the message already, so it may be called again after a crash; a message that
// a crash left incomplete at the mailbox's end is replaced. Throws Stopped (careful_moves.h).
void append_mail(const UniqueFd& directory, const std::string& name, int message, mode_t mode,
                 const std::function<void()>& still_waiting);

// Whether the mailbox has a message with this hash, with or without the empty line that append_mail() adds: then an
// earlier attempt, or the owner, has put it back. Throws Stopped.
[[nodiscard]] bool has_mail(int mailbox, const std::string& sha256);

}  // namespace clamscanner
