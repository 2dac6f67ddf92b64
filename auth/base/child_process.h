// A child that cannot outlive its owner object: held by pidfd, so that a signal never hits a stranger with its number.
#pragma once

#include <sys/types.h>

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
    // Takes over `pid`, a child that this process forked and has not reaped. When it cannot, the child is killed.
    explicit ChildProcess(pid_t pid);
    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&& other) noexcept;
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess();  // kills and reaps

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }  // readable once the child has ended
    explicit operator bool() const noexcept { return pid_ > 0; }

    void kill() noexcept;
    // Reaps if it has ended; empty while it runs.
    [[nodiscard]] std::optional<Ending> ended();
    // Waits for the end.
    Ending wait();

 private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
};

}  // namespace clamscanner
