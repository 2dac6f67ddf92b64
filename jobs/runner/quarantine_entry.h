// Checks whether a file in the quarantine is still the one that was put there. Only such a file is left out of a scan:
// its owner, or malware that runs as its owner, may move it out, link it elsewhere, replace it or make it usable again,
// and then it is scanned like any other file. Used by the runner, as the account's own user.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

// The file, opened for reading, if its name, inode, size and content are the recorded ones and its mode is that of a
// quarantined file; else nothing. Of an adopted file, inode and mode do not matter, as it is left out of no scan. The
// device number is not compared, because it may change at a reboot.
[[nodiscard]] UniqueFd open_recorded(int quarantine, const ScanQuarantined& recorded);

}  // namespace clamscanner
