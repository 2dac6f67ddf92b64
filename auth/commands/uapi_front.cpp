// uapi, the command. For an ordinary user it only executes the program that does the work. When root names a user, it
// first becomes that user for good: no JSON is handled as root. It is not setuid, and it reads nothing from the
// environment.
#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <system_error>

#include "auth/base/command_forms.h"
#include "auth/base/config.h"
#include "auth/base/log.h"
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

int run_as_named_user(const Config& config, const std::optional<std::string>& user, const CommandLine& line) {
    if (!user) return fail(EX_USAGE, "root must say for whom: --user=NAME");
    Account account;
    if (!find_account(*user, account)) return fail(EX_NOUSER, "there is no user " + printable(*user));
    if (!is_served(account, config)) return fail(EX_NOPERM, printable(*user) + " is a system user: not served");
    if (HeldAccounts(config.held_accounts()).include(account.name, account.uid))
        return fail(EX_TEMPFAIL, printable(*user) + " is held by the administrator: try again when it is released");
    become_for_good(account);
    exec_clean(account, config.program("clamscanner-uapi"), line.words_without("user"), 3, false);
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
