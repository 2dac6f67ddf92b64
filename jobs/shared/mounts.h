// Finds out who mounted the file system that a file is on. Used by the runner and the agent, as the account's own user.
#pragma once

#include <sys/types.h>

#include <string>

namespace clamscanner {

// Whether this user mounted it with FUSE: then a program of theirs answers every read. False if it cannot be found out.
// Asks the kernel alone, never that program, which may not answer.
[[nodiscard]] bool is_mounted_by_user(int file, uid_t user);

// Whether this line of /proc/self/mountinfo (proc(5)) is such a mount: "36 35 0:40 / /home/a/x rw - fuse.sshfs a@b:
// rw,user_id=1001,…".
[[nodiscard]] bool is_fuse_mount_of(const std::string& line, uid_t user);

}  // namespace clamscanner
