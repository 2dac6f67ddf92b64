// Looks up accounts, and decides for which of them this service acts.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/base/config.h"

namespace clamscanner {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    std::string generation = {};  // account_generation(), if computed; else empty
};

// Looks an account up in the name service. That may block: never call it in a daemon's event loop. False when there is
// no such account.
[[nodiscard]] bool find_account(const std::string& name, Account& account);
[[nodiscard]] bool find_account(uid_t uid, Account& account);

// A user that the configuration names under `key`. Throws ConfigError when there is no such user.
[[nodiscard]] Account configured_user(const Config& config, const std::string& key, const std::string& name);

// Throws ConfigError unless this program runs as one of these users, whom the configuration names under `key`: the
// programs that it is to talk to would close its connections without a word.
void require_to_run_as(const Config& config, const std::string& key, const std::vector<std::string>& names);

// Whose processes may have logins checked, of responder.users. Throws ConfigError for one that does not exist, or that
// runs other people's code without the administrator's leave.
[[nodiscard]] std::set<uid_t> responder_uids(const Config& config);

// Whether the administrator lets this system user see the whole host's statistics (jobs.host_users).
[[nodiscard]] bool is_host_user(std::string_view name, const Config& config) noexcept;

// All of these. Throws ConfigError when one does not exist or is a hosting account, with a uid that is not below the
// floor: the whole host's statistics are not for an account that may be hacked.
[[nodiscard]] std::set<uid_t> host_users(const Config& config);

// Whether this service acts for the account: never for root or root's group, and below login.uid_floor only for host
// users.
[[nodiscard]] bool is_served(const Account& account, const Config& config) noexcept;

}  // namespace clamscanner
