// uapi, the command. For an ordinary user it only executes the program that does the work. When root names a user, it
// first becomes that user for good: no JSON is handled as root. It is not setuid, and it reads nothing from the
// environment.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <system_error>

#include "auth/base/checked.h"
#include "auth/base/command_forms.h"
#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/unique_fd.h"
#include "auth/base/voucher.h"
#include "auth/base/wire.h"
#include "auth/base/write_all.h"
#include "auth/identity/become_user.h"
#include "auth/identity/held_accounts.h"

namespace clamscanner {
namespace {

int fail(int status, const std::string& why) {
    std::fprintf(stderr, "uapi: %s\n", why.c_str());
    return status;
}

Config config_of(const CommandLine& line) {
    if (line.has("config")) return read_config(line.config_file());
    try {
        return read_config(installed_config_file());
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
        return parse_config("", installed_config_file());
    }
}

// Root stands behind what it has done in an account's name. Without authd's key there is no voucher, and what needs one
// is refused.
void leave_voucher(const Config& config, uid_t uid) {
    const auto key = read_voucher_key(config.voucher_key());
    if (key.empty()) return;
    auto voucher = seal(key, uid, VouchedBy::Root);
    Writer wire;
    voucher.fields(wire);
    UniqueFd memory(checked(::memfd_create("voucher", MFD_CLOEXEC | MFD_ALLOW_SEALING), "make a voucher's file"));
    if (!write_all(memory.get(), wire.take().bytes())) throw_errno("write a voucher", errno);
    checked(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
            "seal a voucher's file");
    if (memory.get() == voucher_descriptor)
        checked(::fcntl(memory.release(), F_SETFD, 0), "pass a voucher on");
    else
        checked(::dup2(memory.get(), voucher_descriptor), "pass a voucher on");
}

int run_as_named_user(const Config& config, const std::optional<std::string>& user, const CommandLine& line) {
    if (!user) return fail(EX_USAGE, "root must say for whom: --user=NAME");
    Account account;
    if (!find_account(*user, account)) return fail(EX_NOUSER, "there is no user " + printable(*user));
    if (!is_served(account, config)) return fail(EX_NOPERM, printable(*user) + " is a system user: not served");
    if (HeldAccounts(config.held_accounts()).include(account.name, account.uid))
        return fail(EX_TEMPFAIL, printable(*user) + " is held by the administrator: try again when it is released");
    ::close(voucher_descriptor);  // whatever root's shell has left there
    leave_voucher(config, account.uid);
    become_for_good(account);
    exec_clean(account, config.program("clamscanner-uapi"), line.words_without("user"), voucher_descriptor + 1, false);
}

int run_as_caller(const Config& config, const std::optional<std::string>& user, const CommandLine& line) {
    Account caller;
    if (user && (!find_account(::getuid(), caller) || caller.name != *user))
        return fail(EX_NOPERM, "only root may act for another user");
    const auto program = config.program("clamscanner-uapi");
    const auto arguments = line.words_without("user");
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (const auto& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execv(program.c_str(), words.data());
    return fail(EX_CONFIG, "cannot start " + program + ": " + std::strerror(errno));
}

int run(const CommandLine& line) {
    if (::getuid() != ::geteuid() || ::getgid() != ::getegid()) return fail(EX_NOPERM, "must not be setuid or setgid");
    const auto config = config_of(line);
    const auto user = line.value("user");
    return ::getuid() == 0 ? run_as_named_user(config, user, line) : run_as_caller(config, user, line);
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(uapi_form, argc, argv, EX_CONFIG, run);
}
