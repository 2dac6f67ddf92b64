#include "auth/base/account.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

template <class Lookup>
bool find(Lookup lookup, Account& account) {
    std::vector<char> buffer(16 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    int error = 0;
    while ((error = lookup(&entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < 1024 * 1024)
        buffer.resize(buffer.size() * 2);
    if (found == nullptr) {
        // "Not found" is a null result with no error or one of several (getpwnam(3)); all others are faults.
        if (error != 0 && error != ENOENT && error != ESRCH && error != EBADF && error != EPERM)
            throw_errno("look up an account", error);
        return false;
    }
    account = {entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
    return true;
}

}  // namespace

bool find_account(const std::string& name, Account& account) {
    return find([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); }, account);
}

bool find_account(uid_t uid, Account& account) {
    return find([&](auto... rest) { return ::getpwuid_r(uid, rest...); }, account);
}

Account configured_user(const Config& config, const std::string& key, const std::string& name) {
    Account account;
    if (!find_account(name, account))
        throw ConfigError(config.name_of(key) + ": there is no user " + printable(name) +
                          ". Make it (useradd --system --shell /usr/sbin/nologin NAME), or name another");
    return account;
}

void require_to_run_as(const Config& config, const std::string& key, const std::vector<std::string>& names) {
    std::string wanted;
    for (const auto& name : names) {
        if (configured_user(config, key, name).uid == ::geteuid()) return;
        wanted += (wanted.empty() ? "" : " or ") + printable(name);
    }
    Account ours;
    const bool has_name = find_account(::geteuid(), ours);
    throw ConfigError(config.name_of(key) + ": this program runs as " +
                      (has_name ? printable(ours.name) : "uid " + std::to_string(::geteuid())) + " and not as " +
                      wanted + ", so the others would not talk to it. Start it as that user, or name this one");
}

std::set<uid_t> responder_uids(const Config& config) {
    // A uid that also runs other people's code could guess passwords and forge client addresses.
    static constexpr std::array shared = {"www-data", "apache", "nginx", "http", "nobody"};
    std::set<uid_t> uids;
    for (const auto& name : config.responder.users) {
        if (!config.responder.allow_shared_web_user && std::ranges::find(shared, name) != shared.end())
            throw ConfigError(config.name_of("responder.users") + ": " + name +
                              " also runs other code; responder.allow_shared_web_user permits it");
        uids.insert(configured_user(config, "responder.users", name).uid);
    }
    return uids;
}

bool is_host_user(std::string_view name, const Config& config) noexcept {
    const auto& users = config.jobs.host_users;
    return std::find(users.begin(), users.end(), name) != users.end();
}

std::set<uid_t> host_users(const Config& config) {
    std::set<uid_t> uids;
    for (const auto& name : config.jobs.host_users) {
        const auto account = configured_user(config, "jobs.host_users", name);
        if (account.uid >= config.login.uid_floor)
            throw ConfigError(config.name_of("jobs.host_users") + ": " + printable(name) +
                              " is a hosting account: its uid is not below login.uid_floor");
        uids.insert(account.uid);
    }
    return uids;
}

bool is_served(const Account& account, const Config& config) noexcept {
    return account.uid != 0 && account.gid != 0 &&
           (account.uid >= config.login.uid_floor || is_host_user(account.name, config));
}

}  // namespace clamscanner
