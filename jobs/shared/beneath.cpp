#include "jobs/shared/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace clamscanner {
namespace {

constexpr int most_tries = 100;

UniqueFd open_step(int directory, std::string_view path, int flags, Crossing crossing) {
    const std::string name(path.empty() ? "." : path);
    open_how how{};
    how.flags = static_cast<__u64>(flags) | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    if (crossing == Crossing::Forbidden) how.resolve |= RESOLVE_NO_XDEV;
    for (int tries = 0;;) {
        const long fd = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
        if (fd >= 0) return UniqueFd(static_cast<int>(fd));
        // EAGAIN: something was renamed at the same time, so that the kernel could not tell whether we stayed beneath.
        // Or another process holds a lease on the file, possibly for ever (fcntl(2), F_SETLEASE).
        if (errno != EINTR && (errno != EAGAIN || ++tries == most_tries)) return {};
    }
}

}  // namespace

UniqueFd open_beneath(int directory, std::string_view path, int flags, Crossing crossing) {
    UniqueFd reached;
    int from = directory;
    // A path longer than PATH_MAX is opened in as few steps as possible, each ending at a slash.
    while (path.size() >= PATH_MAX) {
        const auto cut = path.rfind('/', PATH_MAX - 2);
        if (cut == std::string_view::npos || cut == 0) {
            errno = ENAMETOOLONG;
            return {};
        }
        reached = open_step(from, path.substr(0, cut), O_PATH | O_DIRECTORY, crossing);
        if (!reached) return {};
        from = reached.get();
        path.remove_prefix(cut + 1);
    }
    return open_step(from, path, flags, crossing);
}

std::pair<std::string_view, std::string_view> split_path(std::string_view path) noexcept {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {std::string_view(), path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace clamscanner
