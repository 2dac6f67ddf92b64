// clamscanner-authd, the only program that runs as root and stays root. It checks logins and starts agents and runners
// as their users. It parses no HTTP and no JSON and opens no user's file. It trusts nobody: the kernel says who a peer
// is, a table lists the messages each peer may send, and whatever may block or be taken over runs in a child.
//
// DIAGNOSTICS: one line each on standard error; exits with 78 when it is not root or the configuration is invalid.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "auth/authd/agents.h"
#include "auth/authd/children.h"
#include "auth/authd/login_desk.h"
#include "auth/authd/pam_login.h"
#include "auth/authd/runners.h"
#include "auth/authd/sessions.h"
#include "auth/authd/token_change.h"
#include "auth/base/account.h"
#include "auth/base/audit.h"
#include "auth/base/checked.h"
#include "auth/base/config.h"
#include "auth/base/config_keys.h"
#include "auth/base/event_loop.h"
#include "auth/base/figures.h"
#include "auth/base/home_lookup.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "auth/base/socket.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

struct Endpoint {
    std::string socket;
    mode_t mode;
    uid_t owner;
    gid_t group;
    std::set<uid_t> allowed_uids;
    PeerRole role;
    std::string who;  // these are, for the log
};

Endpoint responder_endpoint(const Config& config) {
    const auto group = configured_user(config, "responder.users", config.responder.users.front()).gid;
    return {config.login_socket(),
            0660,
            0,
            group,
            responder_uids(config),
            PeerRole::Responder,
            config.name_of("responder.users")};
}

Endpoint jobd_endpoint(const Config& config) {
    const auto account = configured_user(config, "jobs.user", config.jobs.user);
    return {config.runner_socket(),     0600, account.uid, account.gid, {account.uid}, PeerRole::Jobd,
            config.name_of("jobs.user")};
}

Endpoint administrator_endpoint(const Config& config) {
    return {config.accounts_socket(), 0600, 0, 0, {0}, PeerRole::Administrator, "root"};
}

// Whoever could replace a directory on the path to the login socket would receive passwords.
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

// A new one at each start: a voucher is good for a moment only.
Secret make_voucher_key(const Config& config, gid_t readers) {
    auto key = new_voucher_key();
    const auto file = config.voucher_key();
    std::filesystem::remove(file);
    const UniqueFd made(checked(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0), "make a key"));
    if (!write_all(made.get(), key.reveal())) throw_errno("write a key", errno);
    checked(::fchown(made.get(), 0, readers), "hand over a key");
    checked(::fchmod(made.get(), S_IRUSR | S_IRGRP), "let a key be read");
    return key;
}

void prepare_process() {
    occupy_standard_descriptors();
    ::umask(022);
    ignore_stray_signals();
    checked(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "forbid tracing");
    const rlimit none{0, 0};
    checked(::setrlimit(RLIMIT_CORE, &none), "forbid core files");
    raise_descriptor_limit();  // one per responder thread, two per agent
}

enum class CheckOf { Password, Account, AccountFromOrigin };

void look_at_home(HomeLookup& homes, const Config& config, const LoginChecked& checked,
                  const LoginDesk::Checked& done) try {
    homes.ask(checked.account.home, [&config, checked, done](const std::optional<HomeIdentity>& home) {
        done(with_home(checked, home, config));
    });
} catch (const std::system_error& fault) {
    log_line(Severity::Error, std::string("cannot look at a home: ") + fault.what());
    done({});
}

// Runs each check in a child: of a password, or of whether the account is open; and then has the home looked at.
LoginDesk::CheckPassword checker(Children& children, HomeLookup& homes, const Config& config, CheckOf what) {
    return
        [&, what](const std::string& user, const Secret& password, const std::string& origin, LoginDesk::Checked done) {
            const auto check = [&](int report) {
                const auto checked =
                    what == CheckOf::Password
                        ? pam_login(config, user, password, origin)
                        : pam_account(config, user, what == CheckOf::AccountFromOrigin ? origin : std::string());
                if (send_message(report, checked) != Sent::Yes) die("cannot report to authd");
            };
            const auto reported = [&, done = std::move(done)](const std::string& report, ChildProcess child) {
                children.kill_and_reap(std::move(child));
                const auto checked = report_or_fault<LoginChecked>(report);
                if (checked.verdict != LoginVerdict::Welcome) return done(checked);
                look_at_home(homes, config, checked, done);
            };
            children.begin({}, std::chrono::seconds(config.login.pam_seconds), check, reported);
        };
}

// Runs each change of an account's tokens in a child: it may have to wait for the disk.
TokenDesk::Change token_changer(Children& children) {
    return [&](const TokenChange& change, TokenDesk::Changed done) {
        const auto carry_out = [&](int report) {
            if (send_message(report, change_tokens(change)) != Sent::Yes) die("cannot report to authd");
        };
        const auto reported = [&children, done = std::move(done)](const std::string& report, ChildProcess child) {
            children.kill_and_reap(std::move(child));
            done(report_or_fault<TokenChanged>(report));
        };
        children.begin({}, std::chrono::seconds(20), carry_out, reported);
    };
}

struct OpenEndpoint {
    UniqueFd listener;
    EventLoop::Watch watch;
};

[[nodiscard]] OpenEndpoint open_endpoint(EventLoop& loop, Sessions& sessions, const Endpoint& endpoint) {
    auto listener = listen_at(endpoint.socket, SOCK_SEQPACKET, endpoint.mode);
    checked(::chown(endpoint.socket.c_str(), endpoint.owner, endpoint.group), "hand over a socket");
    auto watch = loop.accept_connections(listener.get(), [&sessions, endpoint](UniqueFd connection) {
        const auto peer = peer_of(connection.get());
        if (endpoint.allowed_uids.contains(peer.uid))
            sessions.begin(endpoint.role, std::move(connection));
        else
            log_line(Severity::Warning, "closing a connection to " + endpoint.socket + ": uid " +
                                            std::to_string(peer.uid) + " is none of those that may connect (" +
                                            endpoint.who + ")");
    });
    return {std::move(listener), std::move(watch)};
}

void run(const std::string& config_file) {
    if (::geteuid() != 0) throw ConfigError("this program must run as root");
    Config config = read_config(config_file);
    prepare_process();
    audit_to_file(config.audit_file());
    for (const auto* program : {"clamscanner-agent", "clamscanner-runner"}) require_trusted(config.program(program));
    const auto responders = responder_endpoint(config);
    const auto jobs = jobd_endpoint(config);
    static_cast<void>(host_users(config));  // refuses a hosting account
    make_directory(config.paths.run_directory);
    make_directory(config.paths.run_directory + "/authd");
    make_directory(std::filesystem::path(config.statistics.nonces).parent_path());
    make_directory(config.token_directory());
    checked(::chmod(config.token_directory().c_str(), S_IRWXU), "close the directory of tokens");

    EventLoop loop;
    loop.stop_on_signals();
    Children children(loop);
    HomeLookup homes(loop);
    LoginDesk logins(loop, checker(children, homes, config, CheckOf::Password), LocalAccounts(), config,
                     checker(children, homes, config, CheckOf::AccountFromOrigin));
    const LocalAccounts::Files any_change{.any_change_affects_all = true};
    LoginDesk open_accounts(loop, checker(children, homes, config, CheckOf::Account), LocalAccounts(any_change),
                            config);
    SignatureDesk signatures(open_accounts, config);
    LoginDesk open_from(loop, checker(children, homes, config, CheckOf::AccountFromOrigin), LocalAccounts(any_change),
                        config);
    TokenDesk tokens(loop, logins, open_from, token_changer(children), config, {});
    Agents agents(loop, children, config, agent_launcher(config, config_file), make_voucher_key(config, jobs.group));
    Runners runners(loop, children, config, config_file);
    loop.reload_on_hangup([&] {
        const auto keys = reread_config(config);
        if (!keys) return;
        take_reloaded(*keys, config);
        audit_to_file(config.audit_file());
        for (auto* desk : {&logins, &open_accounts, &open_from}) desk->take_settings();
        agents.renew();
    });
    Sessions sessions(loop, logins, signatures, tokens, agents, runners, config);
    const Figures figures(loop, config.figures_file("authd"),
                          [&](Figures& own) { own.set("clamscanner_agents", agents.count()); });
    const auto open_to_responders = open_endpoint(loop, sessions, responders);
    const auto open_to_jobd = open_endpoint(loop, sessions, jobs);
    const auto open_to_administrator = open_endpoint(loop, sessions, administrator_endpoint(config));
    if (const auto missing = missing_pam_service(config); !missing.empty()) log_line(Severity::Error, missing);
    report_ready();
    loop.run();
    notify_supervisor("STOPPING=1");
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    static constexpr clamscanner::CommandForm form{
        .program = "clamscanner-authd",
        .purpose = "Checks logins, and starts programs as the users who have logged in. Root runs it."};
    return clamscanner::run_daemon(form, argc, argv, [](const std::string& config_file) {
        // Agents are started in the root directory.
        clamscanner::run(std::filesystem::canonical(config_file));
    });
}
