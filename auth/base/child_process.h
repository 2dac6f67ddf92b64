// A child process that cannot outlive its owner object, unless the kernel does not let go of it. Held by pidfd, so that
// a signal never hits another process that got its pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "auth/base/unique_fd.h"

namespace clamscanner {

struct Ending {
    bool by_signal;
    int code;  // the exit status, or the signal's number
};

class ChildProcess {
 public:
    ChildProcess() = default;
    // Takes over `pid`, a child that this process forked and has not reaped. If it cannot, it kills the child and
    // throws.
    explicit ChildProcess(pid_t pid);
    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&& other) noexcept;
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess();  // as end()

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }  // readable once the child has ended
    explicit operator bool() const noexcept { return pid_ > 0; }

    void kill() noexcept;
    // Reaps if it has ended; empty while it runs.
    [[nodiscard]] std::optional<Ending> ended();
    // Waits for the end.
    Ending wait();
    // Kills it and reaps it. One that has not ended in time, since it waits in the kernel for a file system that does
    // not answer, is left behind: then this is false, and whoever adopts our orphans reaps it.
    bool end(std::chrono::milliseconds patience = std::chrono::seconds(1)) noexcept;
    // Kills it and does not wait: it is left behind. For whoever ends, too.
    void leave() noexcept;

 private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
};

}  // namespace clamscanner
