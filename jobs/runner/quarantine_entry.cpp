#include "jobs/runner/quarantine_entry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

UniqueFd open_recorded(int quarantine, const ScanQuarantined& recorded) {
    UniqueFd file(
        ::openat(quarantine, recorded.opaque.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat directory {};
    struct stat status {};
    if (!file || ::fstat(quarantine, &directory) < 0 || ::fstat(file.get(), &status) < 0) return {};
    const bool is_as_moved = status.st_ino == recorded.inode && (status.st_mode & 07777) == quarantined_mode;
    const bool is_recorded = S_ISREG(status.st_mode) && status.st_dev == directory.st_dev &&
                             (is_as_moved || recorded.adopted) &&
                             static_cast<std::uint64_t>(status.st_size) == recorded.size &&
                             status.st_uid == ::geteuid() && content_hash(file.get(), recorded.size) == recorded.sha256;
    return is_recorded ? std::move(file) : UniqueFd();
}

}  // namespace clamscanner
