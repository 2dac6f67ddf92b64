// What a worker may still do once it reads hostile bytes: compute, read the descriptors it is handed, write and remove
// files in a directory of its own, and answer. Four walls, each without regard to the others:
//
//   its own file system in memory, with a limit, for that directory (own_tmpfs.h)
//   Landlock   no file but below that directory; no TCP; no signal and no abstract socket out of the room
//   seccomp    the list of system calls in locked_room.cpp; anything else ends the process
//   rlimits    no further process, no core file, a limit on memory and on the size of a file
//
// A kernel without Landlock or user namespaces leaves the others. Whatever else cannot be set up throws: a worker
// without its room must not scan, and its coordinator takes the silence for a scanner that does not work.
#pragma once

#include <cstdint>
#include <string>

namespace clamscanner {

struct RoomLimits {
    std::uint64_t memory_bytes = 0;     // beyond what the process has mapped when it enters; 0: no limit
    std::uint64_t file_bytes = 0;       // of each file it writes
    std::uint64_t directory_bytes = 0;  // of all that it writes; 0: as much as there is room for
};

// For the calling process, which must have one thread, and for good. `directory` must exist. Throws std::system_error.
void lock_room(const std::string& directory, const RoomLimits& limits);

// The version of the kernel's Landlock interface; 0: it has none, or it is switched off.
[[nodiscard]] int landlock_version() noexcept;

}  // namespace clamscanner
