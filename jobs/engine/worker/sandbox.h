// What a worker may do once it reads hostile bytes: compute, read the descriptors it is handed, write and remove files
// in a directory of its own, and answer. Four independent layers:
//
//   its own file system in memory, with a limit, for that directory (own_tmpfs.h)
//   Landlock   no file except below that directory; no TCP; no signals or abstract sockets to other processes
//   seccomp    the list of system calls in sandbox.cpp; anything else ends the process
//   rlimits    no further process, no core file, a limit on memory and on the size of a file
//
// Without Landlock or user namespaces in the kernel, the other layers remain. Any other failure throws: a worker
// outside its sandbox must not scan, and its coordinator treats the missing answer as a broken scanner.
#pragma once

#include <cstdint>
#include <string>

namespace clamscanner {

struct SandboxLimits {
    std::uint64_t memory_bytes = 0;     // beyond what the process has mapped when it enters the sandbox; 0: no limit
    std::uint64_t file_bytes = 0;       // of each file it writes
    std::uint64_t directory_bytes = 0;  // of all files that it writes; 0: no limit
};

// Irreversible, for the calling process, which must be single-threaded. `directory` must exist. Throws
// std::system_error.
void enter_sandbox(const std::string& directory, const SandboxLimits& limits);

// The same in two parts, for a process whose children each enter a sandbox: it prepares what takes long. The file
// system in memory is not part of it.
class PreparedSandbox {
 public:
    // Which system calls are allowed: those of a process that scans, or also those with which a parent starts such
    // processes and ends them.
    enum class Calls { Scan, StartScans };
    explicit PreparedSandbox(Calls calls);
    // `memory_bytes` is beyond what the process had mapped when this was prepared.
    void enter(const std::string& directory, const SandboxLimits& limits) const;
    // The list of system calls alone.
    void restrict_calls() const;

 private:
    std::string filter_;  // the kernel's form of the list
    std::uint64_t mapped_bytes_;
};

// The version of the kernel's Landlock interface; 0: none, or switched off.
[[nodiscard]] int landlock_version() noexcept;

}  // namespace clamscanner
