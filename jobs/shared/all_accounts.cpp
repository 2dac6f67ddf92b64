#include "jobs/shared/all_accounts.h"

#include <pwd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr uid_t nobody = 65534;

}  // namespace

std::vector<uid_t> all_accounts(std::uint64_t uid_floor) {
    std::vector<uid_t> uids;
    ::setpwent();
    for (;;) {
        errno = 0;
        const auto* entry = ::getpwent();
        if (entry == nullptr && errno != 0 && errno != ENOENT) throw_errno("list the accounts");
        if (entry == nullptr) break;
        if (entry->pw_uid >= uid_floor && entry->pw_uid != nobody && entry->pw_gid != 0 && entry->pw_dir[0] == '/')
            uids.push_back(entry->pw_uid);
    }
    ::endpwent();
    std::ranges::sort(uids);
    uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
    return uids;
}

}  // namespace clamscanner
