#include "auth/base/home_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cstring>

#include "auth/base/nanoseconds.h"

namespace clamscanner {

HomeIdentity home_identity(const std::string& home) noexcept {
    HomeIdentity identity;
    struct statfs file_system {};
    struct statx found {};
    // statfs() first: unlike statx(), it mounts a home that is mounted on demand.
    const bool seen =
        ::statfs(home.c_str(), &file_system) == 0 &&
        ::statx(AT_FDCWD, home.c_str(), AT_STATX_SYNC_AS_STAT, STATX_TYPE | STATX_INO | STATX_BTIME, &found) == 0;
    // A home that cannot be examined does not count as missing: root may lack access that the user has.
    identity.is_missing =
        !home.starts_with('/') || (seen ? !S_ISDIR(found.stx_mode) : errno == ENOENT || errno == ENOTDIR);
    if (!seen || identity.is_missing) return identity;
    static_assert(sizeof file_system.f_fsid == sizeof identity.file_system);
    std::memcpy(&identity.file_system, &file_system.f_fsid, sizeof identity.file_system);
    identity.inode = found.stx_ino;
    if ((found.stx_mask & STATX_BTIME) != 0) identity.born_ns = nanoseconds_of(found.stx_btime);
    return identity;
}

}  // namespace clamscanner
