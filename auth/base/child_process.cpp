#include "auth/base/child_process.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <utility>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

Ending ending_of(int status) noexcept {
    return WIFSIGNALED(status) ? Ending{true, WTERMSIG(status)} : Ending{false, WEXITSTATUS(status)};
}

}  // namespace

ChildProcess::ChildProcess(pid_t pid) : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
    if (pidfd_) return;
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw_errno("open a child's pidfd", error);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this != &other) {
        this->~ChildProcess();
        pid_ = std::exchange(other.pid_, -1);
        pidfd_ = std::move(other.pidfd_);
    }
    return *this;
}

ChildProcess::~ChildProcess() {
    if (pid_ <= 0) return;
    kill();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

void ChildProcess::kill() noexcept {
    if (pid_ > 0) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::optional<Ending> ChildProcess::ended() {
    if (pid_ <= 0) return std::nullopt;
    int status = 0;
    const pid_t reaped = checked(::waitpid(pid_, &status, WNOHANG), "reap a child");
    if (reaped == 0) return std::nullopt;
    pid_ = -1;
    pidfd_.reset();
    return ending_of(status);
}

Ending ChildProcess::wait() {
    int status = 0;
    checked(uninterrupted([&] { return ::waitpid(pid_, &status, 0); }), "wait for a child");
    pid_ = -1;
    pidfd_.reset();
    return ending_of(status);
}

}  // namespace clamscanner
