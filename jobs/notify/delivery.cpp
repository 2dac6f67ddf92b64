#include "jobs/notify/delivery.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_output = 1000;
constexpr int cannot_run = 126;
constexpr int most_sweeps = 100;
constexpr useconds_t between_sweeps = 10'000;  // microseconds

// Which of our children are deliveries. One thread, so nobody else changes it.
std::set<pid_t>& deliveries() {
    static std::set<pid_t> pids;
    return pids;
}

std::set<pid_t> orphans() {
    std::set<pid_t> found;
    std::ifstream children("/proc/thread-self/children");
    for (pid_t pid = 0; children >> pid;)
        if (!deliveries().contains(pid)) found.insert(pid);
    return found;
}

// What a delivery has left becomes our child when its parent dies; what that has left in turn, with the next sweep. One
// that waits in the kernel, where no signal reaches it, is left for the sweeps of later deliveries.
void end_orphans() {
    for (int i = 0; i < most_sweeps; ++i) {
        const auto left = orphans();
        if (left.empty()) return;
        for (const pid_t pid : left) ::kill(pid, SIGKILL);
        bool all_gone = true;
        for (const pid_t pid : left) all_gone &= ::waitpid(pid, nullptr, WNOHANG) == pid;
        if (!all_gone) ::usleep(between_sweeps);
    }
    log_line(Severity::Warning, "processes that a hook has started do not end");
}

[[noreturn]] void be_child(pid_t parent, int output, const Delivery::Work& work) {
    int status = cannot_run;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(status);
    reset_signals();
    ::setsid();
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const bool is_ready = ::dup2(nothing, 0) == 0 && ::dup2(output, 1) == 1 && ::dup2(output, 2) == 2 &&
                          ::syscall(SYS_close_range, 3U, ~0U, 0) == 0;
    try {
        if (is_ready) status = work();
    } catch (const std::exception& fault) {
        log_line(Severity::Error, fault.what());
    }
    ::_exit(status);
}

}  // namespace

Delivery::Delivery(EventLoop& loop, std::chrono::seconds limit, const Work& work, Done done) : done_(std::move(done)) {
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC), "make a pipe");
    output_pipe_.reset(ends[0]);
    const UniqueFd childs(ends[1]);
    set_blocking(output_pipe_.get(), false);
    const pid_t self = ::getpid();
    const pid_t pid = checked(::fork(), "fork a delivery");
    if (pid == 0) be_child(self, childs.get(), work);
    child_ = ChildProcess(pid);
    deliveries().insert(pid);
    output_watch_ = loop.watch(output_pipe_.get(), EPOLLIN, [this](std::uint32_t) { read_output(); });
    end_watch_ = loop.watch(child_.pidfd(), EPOLLIN, [this](std::uint32_t) {
        // The watch ends before its descriptor does.
        end_watch_ = {};
        deliveries().erase(child_.pid());
        finish(child_.ended());
    });
    limit_ = loop.after(limit, [this] { finish(std::nullopt); });
}

Delivery::~Delivery() {
    end_watch_ = {};
    if (child_) {
        deliveries().erase(child_.pid());
        child_.end();
    }
    end_orphans();
}

void Delivery::read_output() {
    std::array<char, 65'536> chunk{};
    const auto got = ::read(output_pipe_.get(), chunk.data(), chunk.size());
    if (got > 0) {
        output_.append(chunk.data(), std::min(static_cast<std::size_t>(got), longest_output - output_.size()));
    } else if (got == 0) {
        output_watch_ = {};
    }
}

void Delivery::finish(std::optional<Ending> ending) {
    read_output();
    const auto done = std::move(done_);
    done({ending, std::move(output_)});
}

void adopt_orphans() {
    checked(::prctl(PR_SET_CHILD_SUBREAPER, 1), "adopt what loses its parent");
}

int run_program(const std::string& path, const std::string& input) {
    const int text = checked(::memfd_create("event", MFD_CLOEXEC), "make a file for an event");
    if (!write_all(text, input)) throw_errno("write an event", errno);
    checked(::lseek(text, 0, SEEK_SET), "rewind an event");
    checked(::dup2(text, 0), "pass an event on");
    ::close(text);
    const char* const words[] = {path.c_str(), nullptr};
    const char* const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", nullptr};
    ::execve(path.c_str(), const_cast<char* const*>(words), const_cast<char* const*>(environment));
    log_line(Severity::Error, std::generic_category().message(errno));
    return cannot_run;
}

}  // namespace clamscanner
