// A file system of a process's own, in memory and with a limit: what a worker unpacks there can fill nothing else,
// nobody else sees it, and it is gone with the process, however that ends. It takes a user namespace, in which the
// process may mount for a moment; before it reads a foreign byte it has given that up again.
#pragma once

#include <cstdint>
#include <string>

namespace clamscanner {

// Over `directory`, for the calling process alone, which must have one thread. False where the kernel or the
// administrator allows no user namespaces: then the directory is what it was. Throws std::system_error when it fails
// halfway.
[[nodiscard]] bool mount_own_tmpfs(const std::string& directory, std::uint64_t bytes);

// Whether it would work, tried out in a child.
[[nodiscard]] bool own_tmpfs_works(const std::string& directory);

}  // namespace clamscanner
