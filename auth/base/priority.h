// Scanning yields to everything else on the machine: a low CPU priority and the idle I/O class (ioprio_set(2)).
#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace clamscanner {

inline constexpr int scan_nice = 10;

// For the calling process and what it forks. Errors are ignored: scanning works without.
inline void use_idle_priority() noexcept {
    constexpr int who_process = 1;       // IOPRIO_WHO_PROCESS
    constexpr int class_idle = 3 << 13;  // IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT
    ::setpriority(PRIO_PROCESS, 0, scan_nice);
    ::syscall(SYS_ioprio_set, who_process, 0, class_idle);
}

}  // namespace clamscanner
