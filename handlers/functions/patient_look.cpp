#include "handlers/functions/patient_look.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <map>
#include <stdexcept>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

constexpr std::chrono::milliseconds patience{3000};
constexpr std::size_t most_stuck = 2;
constexpr char looked = 'l';  // what the child saw follows
constexpr char failed = 'f';  // a fault of ours follows

std::string report_on(const std::function<std::string()>& look) {
    try {
        return looked + look();
    } catch (const std::exception& fault) {
        return std::string(1, failed) + fault.what();
    }
}

// It may stay for as long as the machine runs, so it keeps nothing else open.
[[noreturn]] void look_and_end(const std::function<std::string()>& look, std::size_t longest, int report,
                               int lifeline) {
    const int kept = ::fcntl(report, F_DUPFD_CLOEXEC, 3);
    if (kept < 0 || ::dup2(kept, 0) != 0 || (lifeline >= 0 && ::dup2(lifeline, 1) != 1)) ::_exit(1);
    ::syscall(SYS_close_range, lifeline >= 0 ? 2U : 1U, ~0U, 0);
    ::_exit(write_all(0, report_on(look).substr(0, longest + 1)) ? 0 : 1);
}

struct Looking {
    ChildProcess child;
    UniqueFd report;
};

Looking start_looking(const std::function<std::string()>& look, std::size_t longest, int lifeline) {
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC), "make a pipe");
    UniqueFd report(ends[0]);
    const UniqueFd childs(ends[1]);
    const pid_t pid = checked(::fork(), "fork a child that looks at files");
    if (pid == 0) look_and_end(look, longest, childs.get(), lifeline);
    return {ChildProcess(pid), std::move(report)};
}

// Those that have not answered, by what they look at. Never destroyed: whoever exits does not wait for them.
std::map<std::string, ChildProcess>& stuck() {
    static auto& children = *new std::map<std::string, ChildProcess>;
    for (auto next = children.begin(); next != children.end();)
        next = next->second.ended() ? children.erase(next) : std::next(next);
    return children;
}

bool is_readable_until(const UniqueFd& report, Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd answered{report.get(), POLLIN, 0};
    return left > 0 && checked(uninterrupted([&] { return ::poll(&answered, 1, static_cast<int>(left)); }),
                               "wait for a child that looks at files") > 0;
}

// All that the child says; empty when it has not said all of it in time.
std::optional<std::string> hear(const UniqueFd& report) {
    const auto deadline = Clock::now() + patience;
    std::string said;
    char chunk[16 * 1024];
    while (is_readable_until(report, deadline)) {
        const auto size =
            checked(uninterrupted([&] { return ::read(report.get(), chunk, sizeof chunk); }), "hear a child");
        if (size == 0) return said;
        said.append(chunk, static_cast<std::size_t>(size));
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> look_patiently(const std::string& what, std::size_t longest, int lifeline,
                                          const std::function<std::string()>& look) {
    auto& others = stuck();
    if (others.contains(what) || others.size() >= most_stuck) return std::nullopt;
    auto looking = start_looking(look, longest, lifeline);
    auto said = hear(looking.report);
    if (!said) {
        looking.child.kill();
        others.emplace(what, std::move(looking.child));
        return std::nullopt;
    }
    if (!said->starts_with(looked)) throw std::runtime_error("looking at files: " + *said);
    return said->substr(1);
}

}  // namespace clamscanner
