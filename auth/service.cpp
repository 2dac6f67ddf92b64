#include "auth/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "auth/checked.h"
#include "auth/log.h"
#include "auth/socket.h"

#ifndef CLAMSCANNER_CONFIG_FILE
#error "the build must say where the configuration is installed"
#endif

namespace clamscanner {

std::string config_file_of(int argc, char** argv) {
    if (argc == 1) return CLAMSCANNER_CONFIG_FILE;
    if (argc == 3 && std::strcmp(argv[1], "--config") == 0) return argv[2];
    std::fprintf(stderr, "usage: %s [--config FILE]\n(without it: %s)\n", argv[0], CLAMSCANNER_CONFIG_FILE);
    ::exit(64);
}

const char* installed_config_file() noexcept {
    return CLAMSCANNER_CONFIG_FILE;
}

std::vector<UniqueFd> handed_over_sockets(const std::string& name) {
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
            checked(::fcntl(fd, F_SETFD, FD_CLOEXEC), "take a socket handed over");
            set_blocking(fd, false);
            sockets.emplace_back(fd);
        }
    }
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    ::unsetenv("LISTEN_FDNAMES");
    return sockets;
}

void notify_supervisor(const char* state) noexcept {
    const char* path = ::getenv("NOTIFY_SOCKET");
    if (path == nullptr) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path, length);
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return;
    ::sendto(socket.get(), state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
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

void raise_descriptor_limit() {
    // Not the hard limit itself, which may be a million: modules of PAM close them all one by one before they start a
    // program.
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
    files.rlim_cur = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, 65'536));
    checked(::setrlimit(RLIMIT_NOFILE, &files), "raise the limit of descriptors");
}

void occupy_standard_descriptors() {
    const int null = checked(::open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null");
    checked(::dup2(null, 0), "occupy standard input");
    checked(::dup2(null, 1), "occupy standard output");
    if (::fcntl(2, F_GETFD) < 0) checked(::dup2(null, 2), "occupy standard error");
    if (null > 2) ::close(null);
}

}  // namespace clamscanner
