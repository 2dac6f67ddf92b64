#include "jobs/shared/all_accounts.h"

#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr uid_t nobody = 65534;

// A home that cannot be examined may still exist.
bool has_home(const char* path) {
    struct stat status {};
    if (path[0] != '/') return false;
    return ::stat(path, &status) == 0 ? S_ISDIR(status.st_mode) : errno != ENOENT && errno != ENOTDIR;
}

}  // namespace

std::vector<uid_t> all_accounts(std::uint64_t uid_floor) {
    std::vector<uid_t> uids;
    ::setpwent();
    for (;;) {
        errno = 0;
        const auto* entry = ::getpwent();
        if (entry == nullptr && errno != 0 && errno != ENOENT) throw_errno("list the accounts");
        if (entry == nullptr) break;
        if (entry->pw_uid >= uid_floor && entry->pw_uid != nobody && entry->pw_gid != 0 && has_home(entry->pw_dir))
            uids.push_back(entry->pw_uid);
    }
    ::endpwent();
    std::ranges::sort(uids);
    uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
    return uids;
}

}  // namespace clamscanner
