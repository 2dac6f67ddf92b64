// clamscanner-account: holds an account, so that userdel(8) and usermod(8) find no process of ours that uses it, and
// releases it again. The hold is written down first, and authd heeds it from then on; then authd is asked to end what
// it has started as the account's user. Only root can use it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "auth/authd/messages.h"
#include "auth/base/account.h"
#include "auth/base/audit.h"
#include "auth/base/checked.h"
#include "auth/base/command_line.h"
#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"
#include "auth/identity/held_accounts.h"

namespace clamscanner {
namespace {

constexpr CommandForm form{"clamscanner-account",
                           "hold USER | release USER | list",
                           {},
                           "hold: ends what the virus scanner runs as USER, and lets nothing in until the release.\n"
                           "Hold an account before userdel or usermod, and release it afterwards, by its old name or "
                           "its new one.\n",
                           "Holds an account, so that userdel and usermod find no process of the scanner's. Root's."};

// A killed process may still be in the kernel for a while: on a file server that does not answer, for long.
constexpr int patience_ms = 20'000;

int fail(int status, const std::string& why) {
    std::fprintf(stderr, "clamscanner-account: %s\n", why.c_str());
    return status;
}

bool is_readable_in_time(int fd) {
    pollfd waited{fd, POLLIN, 0};
    return checked(uninterrupted([&] { return ::poll(&waited, 1, patience_ms); }), "wait for an end") > 0;
}

// Without authd there is nothing to end: its children die with it.
bool authd_ends_processes(const Config& config, uid_t uid) {
    UniqueFd authd;
    try {
        authd = connect_to(config.accounts_socket(), SOCK_SEQPACKET);
    } catch (const std::system_error& fault) {
        if (fault.code().value() == ENOENT || fault.code().value() == ECONNREFUSED) return true;
        throw;
    }
    if (send_message(authd.get(), EndProcesses{uid}) != Sent::Yes || !is_readable_in_time(authd.get())) return false;
    Packet packet;
    if (receive_packet(authd.get(), packet) != Got::Packet) return false;
    static_cast<void>(decode<ProcessesEnded>(packet.bytes));
    return true;
}

// Whether it runs one of our programs as this user. Root's programs have another uid and are never meant.
bool is_ours(const std::filesystem::path& process, const Config& config, uid_t uid) {
    std::error_code gone;
    const auto program = std::filesystem::read_symlink(process / "exe", gone);
    if (gone || !program.string().starts_with(config.program("clamscanner-"))) return false;
    std::ifstream status(process / "status");
    for (std::string word; status >> word;) {
        if (word != "Uid:") continue;
        uid_t real = 0;
        return status >> real && real == uid;
    }
    return false;
}

// What authd did not start: uapi, from a shell or a panel; and what it has started if it died a moment ago.
bool end_what_is_left(const Config& config, uid_t uid) {
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
        const int pid = std::atoi(process.path().filename().c_str());
        if (pid <= 0 || !is_ours(process.path(), config, uid)) continue;
        const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        // The number may have passed to another process before it was opened.
        if (!handle || !is_ours(process.path(), config, uid)) continue;
        ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
        if (!is_readable_in_time(handle.get())) return false;
    }
    return true;
}

// One writer at a time. authd needs no lock: the file is replaced as a whole.
UniqueFd lock_list(const Config& config) {
    const auto directory = std::filesystem::path(config.held_accounts()).parent_path();
    std::filesystem::create_directories(directory);
    UniqueFd lock(checked(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open the list's directory"));
    checked(::flock(lock.get(), LOCK_EX), "wait for others that hold or release accounts");
    return lock;
}

void note(const Config& config, const char* action, const std::string& user) {
    AuditEvent(action).text("account", user).write_for_command(form.program, config.audit_file());
}

int hold(const Config& config, const std::string& user) {
    Account account;
    if (!find_account(user, account)) return fail(EX_NOUSER, "there is no user " + printable(user));
    if (!is_served(account, config)) return fail(EX_NOPERM, printable(user) + " is a system user: not served");
    {
        const auto lock = lock_list(config);
        auto accounts = read_held_accounts(config.held_accounts());
        const HeldAccount held{account.name, account.uid};
        if (std::ranges::find(accounts, held) == accounts.end()) accounts.push_back(held);
        write_held_accounts(config.held_accounts(), accounts);
    }
    note(config, "hold", account.name);
    if (authd_ends_processes(config, account.uid) && end_what_is_left(config, account.uid)) return EX_OK;
    return fail(EX_TEMPFAIL, printable(user) + " is held, but not all of its processes have ended yet: try again");
}

// By the name that was held, or by the one that the account has now.
int release(const Config& config, const std::string& user) {
    const auto lock = lock_list(config);
    auto accounts = read_held_accounts(config.held_accounts());
    Account now;
    const bool exists = find_account(user, now);
    const auto count =
        std::erase_if(accounts, [&](const auto& held) { return held.name == user || (exists && held.uid == now.uid); });
    if (count > 0) write_held_accounts(config.held_accounts(), accounts);
    if (count > 0) note(config, "release", user);
    if (count == 0) static_cast<void>(fail(EX_OK, printable(user) + " was not held"));
    return EX_OK;
}

int list(const Config& config) {
    for (const auto& held : read_held_accounts(config.held_accounts()))
        std::printf("%s %u\n", held.name.c_str(), held.uid);
    return EX_OK;
}

int run(const CommandLine& line) {
    const auto& words = line.operands();
    const bool lists = words == std::vector<std::string>{"list"};
    if (!lists && (words.size() != 2 || (words[0] != "hold" && words[0] != "release")))
        throw UsageError("no such command");
    if (::geteuid() != 0) return fail(EX_NOPERM, "only root can use it");
    const auto config = read_config(line.config_file());
    if (lists) return list(config);
    return words[0] == "hold" ? hold(config, words[1]) : release(config, words[1]);
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(form, argc, argv, EX_CONFIG, run);
}
