#include "handlers/functions/home.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <system_error>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"
#include "handlers/functions/patient_look.h"
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

constexpr std::size_t longest_problem = 4096;

}  // namespace

std::string directory_problem(const std::string& home, const std::string& directory, int lifeline) {
    const auto problem =
        look_patiently(directory, longest_problem, lifeline, [&] { return problem_of(home, directory); });
    return problem.value_or("does not answer: the file system that it is on hangs");
}

}  // namespace clamscanner
