#include "jobs/shared/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

namespace clamscanner {

bool is_fuse_mount_of(const std::string& line, uid_t user) {
    const auto behind = line.find(" - ");
    if (behind == std::string::npos) return false;
    const auto source = line.substr(behind + 3);
    if (!source.starts_with("fuse")) return false;
    // The options are the last word of the line. The FUSE program's own options cannot come before the kernel's.
    const auto options = "," + source.substr(source.rfind(' ') + 1) + ",";
    return options.find(",user_id=" + std::to_string(user) + ",") != std::string::npos;
}

bool is_mounted_by_user(int file, uid_t user) {
    struct statx status {};
    if (::statx(file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) < 0) return false;
    const std::string number = std::to_string(status.stx_mnt_id) + " ";
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);)
        if (line.starts_with(number)) return is_fuse_mount_of(line, user);
    return false;
}

}  // namespace clamscanner
