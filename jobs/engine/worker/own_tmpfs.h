// A private tmpfs with a size limit: files that a worker unpacks there cannot fill any other file system, no other
// process sees them, and they vanish with the process, however it ends. It needs a user namespace, in which the process
// may mount briefly; it gives up that right before it reads any foreign bytes.
#pragma once

#include <cstdint>
#include <string>

namespace clamscanner {

// Mounts it over `directory`, for the calling process alone, which must be single-threaded. False where the kernel or
// the administrator forbids user namespaces; the directory is then unchanged. Throws std::system_error when it fails
// halfway.
[[nodiscard]] bool mount_own_tmpfs(const std::string& directory, std::uint64_t bytes);

// Its three steps, for a process that mounts one for each of its children. The first makes the calling process, which
// must be single-threaded, the owner of a user namespace and a mount namespace; false where that is forbidden.
[[nodiscard]] bool enter_own_namespaces();
// False where the administrator forbids mounting all the same.
[[nodiscard]] bool mount_tmpfs(const std::string& directory, std::uint64_t bytes);
// The process may mount in its namespaces and nothing else; and then not even that.
void keep_mounting_alone();
void give_up_mounting();

// Whether mounting works here; tried in a child process.
[[nodiscard]] bool own_tmpfs_works(const std::string& directory);

}  // namespace clamscanner
