#include "auth/base/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/config.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

constexpr rlim_t enough_descriptors = 65'536;

}  // namespace

int run_daemon(const CommandForm& form, int argc, char** argv, const std::function<void(const std::string&)>& run,
               AtFault at_fault) try {
    name_this_program(form.program);
    return read_command_line(form, argc, argv, [&](const CommandLine& line) {
        run(line.config_file());
        return EX_OK;
    });
} catch (const ConfigError& error) {
    std::istringstream faults(error.what());
    for (std::string fault; std::getline(faults, fault);) log_line(at_fault.severity, fault);
    return at_fault.wrong_configuration;
} catch (const std::exception& fault) {
    log_line(at_fault.severity, fault.what());
    return EX_SOFTWARE;
}

void report_ready() noexcept {
    notify_supervisor("READY=1");
    log_line(Severity::Info, std::string("ready, version ") + version());
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

void raise_descriptor_limit() {
    // Not to the hard limit, which may be a million: some PAM modules close every possible descriptor, one by one,
    // before they start a program.
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
    files.rlim_cur = std::max(files.rlim_cur, std::min(files.rlim_max, enough_descriptors));
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
