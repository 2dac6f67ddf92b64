// Whether a file in the quarantine still is what was put there. Only such a file is no part of a scan: its owner, or
// malware that runs as its owner, may move it out, link it elsewhere, put another one in its place or make it usable
// again, and then it is a file like any other, wherever it lies. Used by the runner, as the account's own user.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

// The file, opened for reading, if name, inode, size and content are the recorded ones and its mode is that of a
// quarantined file; else nothing. Not the device: after a restart of the machine a file system may have another number.
[[nodiscard]] UniqueFd open_recorded(int quarantine, const LeaveOut& recorded);

}  // namespace clamscanner
