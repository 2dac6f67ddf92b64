#include "jobs/shared/unprivileged.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"

namespace clamscanner {

std::vector<UniqueFd> inherited_sockets(const std::string& name) {
    std::vector<UniqueFd> sockets;
    const char* pid = ::getenv("LISTEN_PID");
    const char* count = ::getenv("LISTEN_FDS");
    const char* names = ::getenv("LISTEN_FDNAMES");
    if (pid != nullptr && count != nullptr && names != nullptr && std::to_string(::getpid()) == pid) {
        std::istringstream list(names);
        std::string one;
        const int end = 3 + std::atoi(count);
        for (int fd = 3; fd < end && std::getline(list, one, ':'); ++fd) {
            if (one != name) continue;
            checked(::fcntl(fd, F_SETFD, FD_CLOEXEC), "take a socket from the supervisor");
            set_blocking(fd, false);
            sockets.emplace_back(fd);
        }
    }
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    ::unsetenv("LISTEN_FDNAMES");
    return sockets;
}

void refuse_root() {
    if (::getuid() != 0 && ::geteuid() != 0 && ::getgid() != 0 && ::getegid() != 0) return;
    log_line(Severity::Fatal, "this program must not run as root: start it as its own system user");
    ::exit(78);
}

void give_up_privileges() {
    checked(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "renounce new privileges");
    checked(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "forbid tracing");
    const rlimit none{0, 0};
    checked(::setrlimit(RLIMIT_CORE, &none), "forbid core files");
}

}  // namespace clamscanner
