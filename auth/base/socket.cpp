#include "auth/base/socket.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cstring>
#include <span>
#include <thread>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw_errno("name a socket", ENAMETOOLONG);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

constexpr int most_tries = 20;
constexpr std::chrono::milliseconds between_tries{50};

bool somebody_listens_at(const sockaddr_un& address, int type) {
    const UniqueFd probe(checked(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "make a socket"));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
}

// For the log: what to look at.
std::string attempt_to_connect(const std::string& path, int error) {
    const std::string attempt = "connect to " + path;
    if (error == ENOENT || error == ECONNREFUSED)
        return attempt + ", where nobody listens (is its daemon running? clamscanner-status tells)";
    if (error == EACCES)
        return attempt +
               ", where only the users of responder.users, jobs.user and engine.user are let in, or their group";
    return attempt;
}

UniqueFd connected(const std::string& path, int type, timeval limit) {
    const auto address = address_of(path);
    UniqueFd socket(checked(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "make a socket"));
    const auto wait_at_most = [&](const timeval& time) {
        checked(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time), "limit a wait");
    };
    wait_at_most(limit);
    const int result = uninterrupted(
        [&] { return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address); });
    if (result < 0) {
        const int error = errno;
        throw_errno(attempt_to_connect(path, error).c_str(), error);
    }
    wait_at_most({});  // what is sent waits as long as it takes
    return socket;
}

}  // namespace

bool is_gone(int error) noexcept {
    return error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == ECONNREFUSED;
}

std::pair<UniqueFd, UniqueFd> socket_pair(int type) {
    int ends[2];
    checked(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), "make a socket pair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd listen_at(const std::string& path, int type, mode_t mode) {
    const auto address = address_of(path);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    // A child that a killed predecessor had just forked may hold its socket for a moment longer.
    for (int tries = 1; somebody_listens_at(address, type); ++tries) {
        if (tries == most_tries)
            throw_errno(("listen at " + path + ", where another process listens already").c_str(), EADDRINUSE);
        std::this_thread::sleep_for(between_tries);
    }
    struct stat old {};
    if (::lstat(path.c_str(), &old) == 0) {
        if (!S_ISSOCK(old.st_mode)) throw_errno("replace a file that is not a socket", EEXIST);
        checked(::unlink(path.c_str()), "remove a dead socket");
    }
    UniqueFd listener(checked(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "make a listening socket"));
    // On Linux the mode of a socket file is taken from the socket's own inode at bind: so there is no moment in which
    // the wrong people could connect.
    checked(::fchmod(listener.get(), mode), "set the mode of a listening socket");
    const mode_t old_mask = ::umask(0);
    const int bound = ::bind(listener.get(), generic, sizeof address);
    const int error = errno;
    ::umask(old_mask);
    if (bound < 0) throw_errno(("listen at " + path).c_str(), error);
    checked(::listen(listener.get(), 4096), "listen");
    return listener;
}

bool permit_only(const std::string& path, uid_t user) {
    constexpr __le16 nothing = 0;
    constexpr __le16 connecting = ACL_READ | ACL_WRITE;
    constexpr __le32 nobody = ACL_UNDEFINED_ID;
    const struct {
        posix_acl_xattr_header header;
        posix_acl_xattr_entry entries[5];
    } list{{POSIX_ACL_XATTR_VERSION},
           {{ACL_USER_OBJ, connecting, nobody},
            {ACL_USER, connecting, user},
            {ACL_GROUP_OBJ, nothing, nobody},
            {ACL_MASK, connecting, nobody},
            {ACL_OTHER, nothing, nobody}}};
    if (::setxattr(path.c_str(), "system.posix_acl_access", &list, sizeof list, 0) == 0) return true;
    if (errno == ENOTSUP) return false;
    throw_errno("say who may connect to a socket");
}

UniqueFd connect_to(const std::string& path, int type, std::chrono::milliseconds limit) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
    const std::chrono::microseconds rest = limit - seconds;
    return connected(path, type, {seconds.count(), rest.count()});
}

UniqueFd connect_at_once(const std::string& path, int type) {
    return connected(path, type | SOCK_NONBLOCK, {});
}

UniqueFd accept_from(int listener, int mode) {
    const int accepted = uninterrupted([&] { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | mode); });
    if (accepted >= 0) return UniqueFd(accepted);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED) return {};
    throw_errno("accept a connection");
}

Peer peer_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    checked(::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size), "ask the kernel who a peer is");
    return {credentials.uid, credentials.gid, credentials.pid};
}

void set_blocking(int fd, bool blocking) {
    const int flags = checked(::fcntl(fd, F_GETFL), "read descriptor flags");
    checked(::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), "set descriptor flags");
}

UniqueFd Packet::only_descriptor() {
    if (descriptors.size() != 1) throw Malformed("a message carries the wrong number of descriptors");
    return std::move(descriptors.front());
}

namespace {

Sent send_with(int socket, std::string_view bytes, std::span<const int> descriptors) {
    if (bytes.size() > largest_packet) throw Malformed("a packet is too long to send");
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))]{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (descriptors.size() > most_descriptors) throw Malformed("a packet carries too many descriptors");
    if (!descriptors.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
    }
    const auto sent = uninterrupted([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL); });
    if (sent >= 0) return Sent::Yes;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Sent::WouldBlock;
    // ETOOMANYREFS: the peer does not take the descriptors that were sent; treat it as gone.
    if (is_gone(errno) || errno == ETOOMANYREFS) return Sent::PeerGone;
    throw_errno("send a message");
}

}  // namespace

Sent send_packet(int socket, std::string_view bytes, std::initializer_list<int> descriptors) {
    return send_with(socket, bytes, {descriptors.begin(), descriptors.size()});
}

Sent send_packet(int socket, std::string_view bytes, const std::vector<UniqueFd>& descriptors) {
    std::vector<int> numbers;
    for (const auto& descriptor : descriptors) numbers.push_back(descriptor.get());
    return send_with(socket, bytes, numbers);
}

Got receive_packet(int socket, Packet& packet, int flags) {
    static thread_local std::vector<char> buffer(largest_packet);
    packet.descriptors.clear();
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const auto receive = [&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags); };
    auto got = uninterrupted(receive);
    // If the peer has closed without reading all that we sent, the kernel says that first, and only then gives what the
    // peer said last, such as why it ended.
    if (got < 0 && errno == ECONNRESET) got = uninterrupted(receive);
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Got::WouldBlock;
        if (is_gone(errno)) return Got::PeerGone;
        throw_errno("receive a message");
    }
    for (cmsghdr* part_header = CMSG_FIRSTHDR(&header); part_header != nullptr;
         part_header = CMSG_NXTHDR(&header, part_header)) {
        if (part_header->cmsg_level != SOL_SOCKET || part_header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part_header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part_header) + i * sizeof(int), sizeof fd);
            packet.descriptors.emplace_back(fd);
        }
    }
    if (got == 0 && packet.descriptors.empty()) return Got::PeerGone;
    ::explicit_bzero(packet.bytes.data(), packet.bytes.size());
    packet.bytes.assign(buffer.data(), static_cast<std::size_t>(got));
    ::explicit_bzero(buffer.data(), static_cast<std::size_t>(got));
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) throw Malformed("a packet was too long");
    return Got::Packet;
}

}  // namespace clamscanner
