#include "handlers/functions/home.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

DirectoryState state_of_error(int error, const char* attempted) {
    switch (error) {
        case ENOENT:
            return DirectoryState::Missing;
        case ELOOP:
        case EXDEV:
            return DirectoryState::Symlink;
        case ENOTDIR:
            return DirectoryState::NotADirectory;
        case EACCES:
            return DirectoryState::Closed;
        default:
            throw_errno(attempted, error);
    }
}

}  // namespace

DirectoryState directory_state(const std::string& home, const std::string& directory) {
    const UniqueFd home_fd(::open(home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!home_fd) return state_of_error(errno, "look at the home directory");
    if (directory.empty()) return DirectoryState::Present;
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const UniqueFd found(static_cast<int>(::syscall(SYS_openat2, home_fd.get(), directory.c_str(), &how, sizeof how)));
    return found ? DirectoryState::Present : state_of_error(errno, "look at a directory of the home");
}

}  // namespace clamscanner
