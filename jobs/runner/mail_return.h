// Puts a message back into the mailbox that it was taken out of, at its end, as the account's own user.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

// `message` is open for reading and holds the message as it stood in the mailbox. A mailbox that is gone is made again,
// with `mode`. Does nothing where the mailbox has that message: so it may be called again after any crash, and what a
// crash left of a message at the mailbox's end is replaced. Throws Stopped (careful_moves.h).
void append_message(const UniqueFd& directory, const std::string& name, int message, mode_t mode,
                    const std::function<void()>& still_waiting);

// Whether a message of this mailbox was put back by an earlier attempt, or by the owner: it has this hash, with or
// without the empty line that append_message() puts behind it. Throws Stopped.
[[nodiscard]] bool has_message(int mailbox, const std::string& sha256);

}  // namespace clamscanner
