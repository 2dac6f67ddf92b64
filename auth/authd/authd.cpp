// clamscanner-authd, the one program that runs as root and stays root. It checks logins, and starts agents and runners
// as their users. It speaks no HTTP and no JSON, and opens no user's file. It trusts nobody: its peers are known by
// what the kernel says of them, their words by tables; whatever may block or be taken over runs in a child.
//
// DIAGNOSTICS: one line each on standard error; exits with 78 when it is not root or the configuration does not hold.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "auth/authd/agents.h"
#include "auth/authd/children.h"
#include "auth/authd/login_desk.h"
#include "auth/authd/pam_login.h"
#include "auth/authd/runners.h"
#include "auth/authd/sessions.h"
#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/config.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "auth/base/socket.h"

namespace clamscanner {
namespace {

struct Door {
    std::string socket;
    mode_t mode;
    uid_t owner;
    gid_t group;
    std::set<uid_t> welcome;
    Asker asker;
};

// A uid that runs anybody's code beside a responder could guess passwords and name any client's address.
void refuse_shared_web_user(const Config& config, const std::string& name) {
    static constexpr std::array shared = {"www-data", "apache", "nginx", "http", "nobody"};
    if (config.responder.allow_shared_web_user || std::find(shared.begin(), shared.end(), name) == shared.end()) return;
    throw ConfigError("responder.users: " + name + " runs other code too; responder.allow_shared_web_user permits it");
}

Door responders_door(const Config& config) {
    Door door{config.login_socket(), 0660, 0, 0, {}, Asker::Responder};
    for (const auto& name : config.responder.users) {
        refuse_shared_web_user(config, name);
        const auto account = configured_user("responder.users", name);
        if (door.welcome.empty()) door.group = account.gid;
        door.welcome.insert(account.uid);
    }
    return door;
}

Door jobs_door(const Config& config) {
    const auto account = configured_user("jobs.user", config.jobs.user);
    return {config.runner_socket(), 0600, account.uid, account.gid, {account.uid}, Asker::Jobd};
}

// Whoever could replace a directory on the way to the login socket would be told passwords.
void make_directory(const std::string& path) {
    std::filesystem::create_directories(path);  // with 0755, by our umask
    struct stat status {};
    checked(::lstat(path.c_str(), &status), "examine a directory");
    if (!S_ISDIR(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw ConfigError(path + " must be a directory that only root can write");
}

void require_trusted(const std::string& program) {
    struct stat status {};
    checked(::stat(program.c_str(), &status), ("examine " + program).c_str());
    if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw ConfigError(program + " must belong to root and be writable by nobody else");
}

void prepare_process() {
    occupy_standard_descriptors();
    ::umask(022);
    ignore_stray_signals();
    checked(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "forbid tracing");
    const rlimit none{0, 0};
    checked(::setrlimit(RLIMIT_CORE, &none), "forbid core files");
    raise_descriptor_limit();  // one for each responder's thread, two for each agent
}

// A child for each check: of a password, or of whether the account is open.
LoginDesk::CheckPassword checker(Children& children, const Config& config, bool of_password) {
    return [&, of_password](const std::string& user, const Secret& password, const std::string& origin,
                            LoginDesk::Checked done) {
        const auto check = [&](int report) {
            const auto checked = of_password ? pam_login(config, user, password, origin) : pam_account(config, user);
            if (send_message(report, checked) != Sent::Yes) die("authd does not listen");
        };
        const auto reported = [&children, done = std::move(done)](const std::string& report, ChildProcess child) {
            children.bury(std::move(child));
            done(report_or_fault<LoginChecked>(report));
        };
        children.begin({}, std::chrono::seconds(config.login.pam_seconds), check, reported);
    };
}

// Gives the listening socket.
UniqueFd open_door(EventLoop& loop, Sessions& sessions, const Door& door) {
    auto listener = listen_at(door.socket, SOCK_SEQPACKET, door.mode);
    checked(::chown(door.socket.c_str(), door.owner, door.group), "hand over a socket");
    loop.let_in(listener.get(), [&sessions, door](UniqueFd connection) {
        const auto peer = peer_of(connection.get());
        if (door.welcome.contains(peer.uid))
            sessions.begin(door.asker, std::move(connection));
        else
            log_line(Severity::Warning, "uid " + std::to_string(peer.uid) + " is turned away from " + door.socket);
    });
    return listener;
}

void run(const std::string& config_file) {
    if (::geteuid() != 0) throw ConfigError("this program must run as root");
    const Config config = read_config(config_file);
    prepare_process();
    for (const auto* program : {"clamscanner-agent", "clamscanner-runner"}) require_trusted(config.program(program));
    const auto responders = responders_door(config);
    const auto jobs = jobs_door(config);
    static_cast<void>(host_users(config));  // whether each may be one
    make_directory(config.paths.run_directory);
    make_directory(config.paths.run_directory + "/authd");
    make_directory(std::filesystem::path(config.statistics.nonces).parent_path());

    EventLoop loop;
    loop.stop_on_signals();
    Children children(loop);
    LoginDesk logins(loop, checker(children, config, true), LocalAccounts(), config);
    LoginDesk open_accounts(loop, checker(children, config, false), LocalAccounts({.heed_every_change = true}), config);
    SignatureDesk signatures(open_accounts, config);
    Agents agents(loop, children, config, agent_launcher(config, config_file));
    Runners runners(loop, children, config, config_file);
    Sessions sessions(loop, logins, signatures, agents, runners);
    const auto responders_listener = open_door(loop, sessions, responders);
    const auto jobs_listener = open_door(loop, sessions, jobs);
    notify_supervisor("READY=1");
    log_line(Severity::Info, "ready");
    loop.run();
    notify_supervisor("STOPPING=1");
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    return clamscanner::run_daemon("clamscanner-authd", argc, argv, [](const std::string& config_file) {
        // Agents are started in the root directory.
        clamscanner::run(std::filesystem::canonical(config_file));
    });
}
