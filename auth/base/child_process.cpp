#include "auth/base/child_process.h"

#include <poll.h>
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
        end();
        pid_ = std::exchange(other.pid_, -1);
        pidfd_ = std::move(other.pidfd_);
    }
    return *this;
}

ChildProcess::~ChildProcess() {
    end();
}

bool ChildProcess::end(std::chrono::milliseconds patience) noexcept {
    if (pid_ <= 0) return true;
    kill();
    pollfd ending{pidfd_.get(), POLLIN, 0};
    while (::poll(&ending, 1, static_cast<int>(patience.count())) < 0 && errno == EINTR) {
    }
    const bool has_ended = (ending.revents & POLLIN) != 0;
    // Not reaped, it stays our child: nothing else gets its pid before we end.
    if (has_ended) ::waitpid(pid_, nullptr, 0);
    leave();
    return has_ended;
}

void ChildProcess::leave() noexcept {
    kill();
    pid_ = -1;
    pidfd_.reset();
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
