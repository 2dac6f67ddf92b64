#include "fcgi/listener.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/socket.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

bool is_listening(int fd) noexcept {
    int listening = 0;
    socklen_t size = sizeof listening;
    return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

// mod_fcgid leaks descriptors of its own into what it starts.
UniqueFd take_standard_input() {
    checked(::syscall(SYS_close_range, 3U, ~0U, 0), "close what the web server left open");
    UniqueFd socket(checked(::fcntl(0, F_DUPFD_CLOEXEC, 3), "take the listening socket on standard input"));
    set_blocking(socket.get(), false);
    return socket;
}

gid_t id_of_group(const std::string& group) {
    ::group entry{};
    ::group* found = nullptr;
    std::vector<char> buffer(256 * 1024);
    const int error = ::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) throw_errno("find the group responder.socket_group", error != 0 ? error : ENOENT);
    return entry.gr_gid;
}

void give_to_group(const std::string& path, const std::string& group) {
    checked(::lchown(path.c_str(), static_cast<uid_t>(-1), id_of_group(group)),
            "give the socket to responder.socket_group");
}

std::string path_of(int socket) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    checked(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), "ask for the socket's path");
    const auto length = std::min<std::size_t>(size, sizeof address) - offsetof(sockaddr_un, sun_path);
    return {address.sun_path, ::strnlen(address.sun_path, length)};
}

// A socket that the supervisor made has the group that the supervisor gave it: we may not change that, and to go on
// would leave the web server outside, with nobody to say why.
void require_group(int socket, const std::string& group) {
    const auto path = path_of(socket);
    struct stat status {};
    checked(::stat(path.c_str(), &status), "examine the socket from the supervisor");
    if (status.st_gid == id_of_group(group)) return;
    throw ConfigError("responder.socket_group is \"" + group + "\", but " + path +
                      ", which systemd made, has another group: leave the key empty, or have the socket unit say " +
                      "SocketGroup=" + group + " (systemctl edit clamscanner-fcgi.socket)");
}

}  // namespace

Listener::Listener(const Settings& config) {
    if (is_listening(0)) {
        on_standard_input_ = true;
        socket_ = take_standard_input();
        return;
    }
    if (auto handed_over = inherited_sockets("fcgi"); !handed_over.empty()) {
        socket_ = std::move(handed_over.front());
        if (!config.responder.socket_group.empty()) require_group(socket_.get(), config.responder.socket_group);
        return;
    }
    path_ = config.responder.socket;
    socket_ = listen_at(path_, SOCK_STREAM, 0660);
    our_own_ = true;
    if (!config.responder.socket_group.empty()) give_to_group(path_, config.responder.socket_group);
}

void Listener::withdraw() noexcept {
    if (!path_.empty()) ::unlink(path_.c_str());
    path_.clear();
}

}  // namespace clamscanner
