#include "jobs/administrator/checks.h"

#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "auth/base/account.h"
#include "auth/base/check_config.h"
#include "auth/base/home_lookup.h"
#include "auth/base/log.h"
#include "jobs/shared/all_accounts.h"

namespace clamscanner {
namespace {

// A home that hangs takes seconds, and more than so many tell nothing new.
constexpr std::size_t most_homes = 200;
constexpr std::size_t most_late_homes = 3;

void check_configuration(const Settings& settings, std::vector<Problem>& problems) {
    for (const auto& fault : config_faults(settings.file))
        problems.push_back({Severeness::Critical, fault, "correct it; no program starts or reloads with it"});
}

std::string name_of_group(gid_t gid) {
    const auto* entry = ::getgrgid(gid);
    return entry != nullptr ? printable(entry->gr_name) : "gid " + std::to_string(gid);
}

bool is_member(const std::string& user, gid_t primary, gid_t group) {
    std::array<gid_t, 256> groups{};
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(user.c_str(), primary, groups.data(), &count) < 0) return false;
    return std::find(groups.begin(), groups.begin() + count, group) != groups.begin() + count;
}

// Whichever of these users is here runs the web server.
void check_web_server(const Settings& settings, std::vector<Problem>& problems) {
    const auto& socket = settings.responder.socket;
    struct stat status {};
    if (::stat(socket.c_str(), &status) != 0) {
        problems.push_back({Severeness::Critical, "there is no socket " + socket + ": " + std::strerror(errno),
                            "systemctl enable --now clamscanner-fcgi.socket, or start clamscanner.fcgi; where Apache's "
                            "mod_fcgid starts the responders there is none"});
        return;
    }
    std::string users;
    for (const char* name : {"www-data", "nginx", "apache", "http"}) {
        Account account;
        if (!find_account(name, account)) continue;
        const bool may = (status.st_uid == account.uid && (status.st_mode & S_IWUSR) != 0) ||
                         (is_member(name, account.gid, status.st_gid) && (status.st_mode & S_IWGRP) != 0) ||
                         (status.st_mode & S_IWOTH) != 0;
        if (may) return;
        users += (users.empty() ? "" : ", ") + std::string(name);
    }
    if (users.empty()) return;  // the web server runs as somebody whom we do not know
    problems.push_back(
        {Severeness::Critical,
         "the web server (" + users + ") may not open " + socket + ", whose group is " + name_of_group(status.st_gid),
         "set SocketGroup= of clamscanner-fcgi.socket (systemctl edit), or responder.socket_group where "
         "systemd does not make the socket, and restart it"});
}

void check_kernel(std::vector<Problem>& problems) {
    const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version > 0) return;
    problems.push_back({Severeness::Warning, "this kernel has no Landlock",
                        "Linux 5.13 or later has it, unless lsm= of its command line leaves it out; without it workers "
                        "are confined by seccomp and limits alone, and every file is read in every scan"});
}

// Of each file system one such home may be enough: so a few are named.
void check_homes(const Settings& settings, std::vector<Problem>& problems) {
    std::size_t looked_at = 0;
    std::size_t late = 0;
    for (const uid_t uid : all_accounts(settings.login.uid_floor)) {
        Account account;
        if (looked_at++ >= most_homes || late >= most_late_homes) break;
        if (!find_account(uid, account) || home_identity_in_time(account.home)) continue;
        ++late;
        problems.push_back(
            {Severeness::Warning,
             "the home " + printable(account.home) + " of " + printable(account.name) + " does not answer",
             "its file system hangs: mend it; until then its account is answered 503 and its jobs wait"});
    }
}

}  // namespace

std::vector<Problem> installation_problems(const Settings& settings) {
    std::vector<Problem> problems;
    check_configuration(settings, problems);
    check_web_server(settings, problems);
    check_kernel(problems);
    check_homes(settings, problems);
    return problems;
}

}  // namespace clamscanner
