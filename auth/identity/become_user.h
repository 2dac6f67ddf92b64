// Root becomes a user for good. Everything that crosses from root to a user's process goes through here.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "auth/base/config.h"

namespace clamscanner {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    std::string generation = {};  // account_generation(), where somebody looked at the home; else empty
};

// Looks an account up in the name service, which may take as long as it likes: never in a daemon's loop.
// False when there is none.
[[nodiscard]] bool find_account(const std::string& name, Account& account);
[[nodiscard]] bool find_account(uid_t uid, Account& account);

// A user that the configuration names under `key`. Throws ConfigError when there is none.
[[nodiscard]] Account configured_user(const char* key, const std::string& name);

// Whether the administrator lets this system user see the whole host's statistics (jobs.host_users).
[[nodiscard]] bool is_host_user(const Account& account, const Config& config) noexcept;

// Whether this service acts for the account at all: never for root or root's group; of those with a uid below the floor
// for host users only.
[[nodiscard]] bool is_served(const Account& account, const Config& config) noexcept;

// In a fresh child of root: gives up every capability and the user for good, tries to get root back and dies if that
// works. Dies on any fault: a half-changed identity must not go on.
void become_for_good(const Account& account) noexcept;

// Then: a fixed environment, descriptors from `first_closed` on closed, no_new_privs, no core files, and exec. If
// `quiet`, standard input and output from /dev/null and stray signals ignored. Dies if it does not start.
[[noreturn]] void exec_clean(const Account& account, const std::string& program,
                             const std::vector<std::string>& arguments, unsigned first_closed, bool quiet) noexcept;

}  // namespace clamscanner
