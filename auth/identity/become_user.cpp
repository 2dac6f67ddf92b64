#include "auth/identity/become_user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "auth/base/checked.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

void must(bool holds, const char* what) noexcept {
    if (!holds) die(std::string(what) + ": " + std::strerror(errno));
}

void empty_capability_sets() noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    must(::syscall(SYS_capset, &header, none) == 0, "give up capabilities");
}

}  // namespace

void become_for_good(const Account& account) noexcept {
    if (account.uid == 0 || account.gid == 0) die("will not act as root or in root's group");
    must(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "clear ambient capabilities");
    for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
        must(::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, "empty the capability bounding set");
    // Groups first: once the uid is gone we may no longer change them.
    must(::initgroups(account.name.c_str(), account.gid) == 0, "take the account's groups");
    must(::setresgid(account.gid, account.gid, account.gid) == 0, "take the account's group");
    must(::setresuid(account.uid, account.uid, account.uid) == 0, "become the account");
    empty_capability_sets();
    if (::setresuid(0, 0, 0) == 0 || ::setuid(0) == 0 || ::setresgid(0, 0, 0) == 0 || ::setgroups(0, nullptr) == 0)
        die("root could be regained after it was given up");
}

void exec_clean(const Account& account, const std::string& program, const std::vector<std::string>& arguments,
                unsigned first_closed, bool quiet) noexcept {
    try {
        if (quiet) {
            const int null = checked(::open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null");
            checked(::dup2(null, 0), "quieten standard input");
            checked(::dup2(null, 1), "quieten standard output");
        }
        must(::syscall(SYS_close_range, first_closed, ~0U, 0) == 0, "close what a user must not inherit");
        must(::chdir("/") == 0, "enter the root directory");
        ::umask(077);
        reset_signals();
        if (quiet) ignore_stray_signals();
        const rlimit no_core{0, 0};
        must(::setrlimit(RLIMIT_CORE, &no_core) == 0, "forbid core files");
        must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "renounce new privileges");

        std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + account.home,
                                                "USER=" + account.name, "LOGNAME=" + account.name};
        if (const char* journal = ::getenv("JOURNAL_STREAM"))
            environment.push_back(std::string("JOURNAL_STREAM=") + journal);
        std::vector<char*> words{const_cast<char*>(program.c_str())};
        for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
        words.push_back(nullptr);
        std::vector<char*> variables;
        for (auto& variable : environment) variables.push_back(variable.data());
        variables.push_back(nullptr);
        ::execve(program.c_str(), words.data(), variables.data());
        die("cannot start " + printable(program) + ": " + std::strerror(errno));
    } catch (const std::exception& fault) {
        die(fault.what());
    }
}

}  // namespace clamscanner
