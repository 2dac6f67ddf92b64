#include "handlers/functions/home.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <iterator>
#include <map>
#include <stdexcept>
#include <system_error>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"
#include "jobs/shared/mounts.h"

namespace clamscanner {
namespace {

std::string problem_of_error(int error, const char* attempted) {
    switch (error) {
        case ENOENT:
            return "does not exist";
        case ELOOP:
        case EXDEV:
            return "is a symbolic link or lies behind one, and links are not followed";
        case ENOTDIR:
            return "is not a directory";
        case EACCES:
            return "may not be entered and read by its owner";
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            throw_errno(attempted, error);  // our fault, not the directory's
        default:
            return "cannot be opened (" + std::generic_category().message(error) + ")";
    }
}

// Nothing may be asked of a FUSE program of the account's: it may never answer.
std::string problem_of(const UniqueFd& directory) {
    if (is_mounted_by_user(directory.get(), ::geteuid()))
        return "is a file system that the account has mounted by itself (FUSE), which is not scanned";
    // To look up "." takes the right to enter the directory.
    if (::faccessat(directory.get(), ".", R_OK | X_OK, AT_EACCESS) == 0) return {};
    return problem_of_error(errno, "look into a directory");
}

std::string problem_of(const std::string& home, const std::string& directory) {
    const UniqueFd home_fd(::open(home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!home_fd) return problem_of_error(errno, "look at the home directory");
    auto problem = problem_of(home_fd);
    if (directory.empty()) return problem;
    // The scanner works from the home, and keeps its log and the quarantine there.
    if (!problem.empty()) return "lies in a home that " + problem;
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const UniqueFd found(static_cast<int>(::syscall(SYS_openat2, home_fd.get(), directory.c_str(), &how, sizeof how)));
    return found ? problem_of(found) : problem_of_error(errno, "look at a directory of the home");
}

// ---- In a child -----------------------------------------------------------------------------------------------------

constexpr int patience_ms = 3000;
constexpr std::size_t most_stuck = 2;
constexpr std::size_t longest_answer = 4096;
constexpr const char* hangs = "does not answer: the file system that it is on hangs";

// From the child: 'p' and the problem, or 'f' and a fault of ours.
std::string report_on(const std::string& home, const std::string& directory) {
    try {
        return "p" + problem_of(home, directory);
    } catch (const std::exception& fault) {
        return std::string("f") + fault.what();
    }
}

// It may stay for as long as the machine runs, so it keeps nothing else open.
[[noreturn]] void look_and_end(const std::string& home, const std::string& directory, int report, int lifeline) {
    const int kept = ::fcntl(report, F_DUPFD_CLOEXEC, 3);
    if (kept < 0 || ::dup2(kept, 0) != 0 || (lifeline >= 0 && ::dup2(lifeline, 1) != 1)) ::_exit(1);
    ::syscall(SYS_close_range, lifeline >= 0 ? 2U : 1U, ~0U, 0);
    const auto problem = report_on(home, directory).substr(0, longest_answer);
    ::_exit(write_all(0, problem) ? 0 : 1);
}

struct Looking {
    ChildProcess child;
    UniqueFd report;
};

Looking start_looking(const std::string& home, const std::string& directory, int lifeline) {
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC), "make a pipe");
    UniqueFd report(ends[0]);
    const UniqueFd childs(ends[1]);
    const pid_t pid = checked(::fork(), "fork a child that looks at a directory");
    if (pid == 0) look_and_end(home, directory, childs.get(), lifeline);
    return {ChildProcess(pid), std::move(report)};
}

// Those that have not answered, by directory. Never destroyed: whoever exits does not wait for them.
std::map<std::string, ChildProcess>& stuck() {
    static auto& children = *new std::map<std::string, ChildProcess>;
    for (auto next = children.begin(); next != children.end();)
        next = next->second.ended() ? children.erase(next) : std::next(next);
    return children;
}

std::string answer_of(const UniqueFd& report) {
    char answer[longest_answer];
    const auto size =
        checked(uninterrupted([&] { return ::read(report.get(), answer, sizeof answer); }), "hear a child");
    if (size == 0 || answer[0] != 'p')
        throw std::runtime_error("looking at a directory: " + std::string(answer, static_cast<std::size_t>(size)));
    return {answer + 1, static_cast<std::size_t>(size) - 1};
}

}  // namespace

std::string directory_problem(const std::string& home, const std::string& directory, int lifeline) {
    auto& others = stuck();
    if (others.contains(directory) || others.size() >= most_stuck) return hangs;
    auto looking = start_looking(home, directory, lifeline);
    pollfd answered{looking.report.get(), POLLIN, 0};
    const int ready = checked(uninterrupted([&] { return ::poll(&answered, 1, patience_ms); }), "wait for a directory");
    if (ready > 0) return answer_of(looking.report);
    looking.child.kill();
    others.emplace(directory, std::move(looking.child));
    return hangs;
}

}  // namespace clamscanner
