// Who mounted what a file lies on. Used by the runner, as the account's own user.
#pragma once

#include <sys/types.h>

#include <string>

namespace clamscanner {

// Whether this user has mounted it by themselves, with FUSE: then their program answers for all that is read of it.
// False where nobody can tell.
[[nodiscard]] bool is_mounted_by_user(int file, uid_t user);

// The line of /proc/self/mountinfo (proc(5)) says so: "36 35 0:40 / /home/a/x rw - fuse.sshfs a@b: rw,user_id=1001,…".
[[nodiscard]] bool is_fuse_mount_of(const std::string& line, uid_t user);

}  // namespace clamscanner
