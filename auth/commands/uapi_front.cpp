// uapi, the command. A user runs it as themselves: it only finds the program that does the work. Root names a user, and
// it becomes that user for good before anything else happens: root itself runs no JSON. It is not setuid, and it takes
// nothing from the environment.
#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <system_error>

#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "auth/commands/uapi_arguments.h"
#include "auth/identity/become_user.h"

namespace clamscanner {
namespace {

int fail(int status, const std::string& why) {
    std::fprintf(stderr, "uapi: %s\n", why.c_str());
    return status;
}

Config config_of(const UapiArguments& arguments) {
    if (arguments.config) return read_config(*arguments.config);
    try {
        return read_config(installed_config_file());
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
        return parse_config("", installed_config_file());
    }
}

int run_as_named_user(const Config& config, const UapiArguments& arguments) {
    if (!arguments.user) return fail(EX_USAGE, "root must say for whom: --user=NAME");
    Account account;
    if (!find_account(*arguments.user, account))
        return fail(EX_NOUSER, "there is no user " + printable(*arguments.user));
    if (!is_served(account, config))
        return fail(EX_NOPERM, printable(*arguments.user) + " is a system user: not served");
    become_for_good(account);
    exec_clean(account, config.program("clamscanner-uapi"), arguments.passed_on, 3, false);
}

int run_as_caller(const Config& config, const UapiArguments& arguments) {
    Account caller;
    if (arguments.user && (!find_account(::getuid(), caller) || caller.name != *arguments.user))
        return fail(EX_NOPERM, "only root may act for another user");
    const auto program = config.program("clamscanner-uapi");
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (const auto& word : arguments.passed_on) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execv(program.c_str(), words.data());
    return fail(EX_CONFIG, "cannot start " + program + ": " + std::strerror(errno));
}

int run(int argc, char** argv) try {
    const UapiArguments arguments({argv + (argc > 0 ? 1 : 0), argv + argc});
    if (::getuid() != ::geteuid() || ::getgid() != ::getegid()) return fail(EX_NOPERM, "must not be setuid or setgid");
    const auto config = config_of(arguments);
    return ::getuid() == 0 ? run_as_named_user(config, arguments) : run_as_caller(config, arguments);
} catch (const UsageError& error) {
    return fail(EX_USAGE, error.what());
} catch (const std::exception& error) {
    return fail(EX_CONFIG, error.what());
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    clamscanner::name_this_program("uapi");
    return clamscanner::run(argc, argv);
}
