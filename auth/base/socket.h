// Unix sockets as the product uses them: SOCK_SEQPACKET for small messages that may carry descriptors, SOCK_STREAM for
// what may be long (jobs/shared/frames.h). Every descriptor made or received here is close-on-exec.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/base/limits.h"
#include "auth/base/unique_fd.h"
#include "auth/base/wire.h"

namespace clamscanner {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// The largest datagram we send or take. A kernel with default limits carries about 208 KiB.
inline constexpr std::size_t largest_packet = 160 * 1024;

struct Peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;  // of the process that connected; for the log only: it may be gone and its number reused
};

[[nodiscard]] std::pair<UniqueFd, UniqueFd> socket_pair(int type);  // SOCK_SEQPACKET or SOCK_STREAM

// Makes a non-blocking listener at `path` with `mode`, replacing a dead socket left by a predecessor. Refuses
// (std::system_error, EADDRINUSE) when somebody still listens there.
[[nodiscard]] UniqueFd listen_at(const std::string& path, int type, mode_t mode);

// Lets this user, beside the owner, connect to the socket at `path`, and nobody else, by an access list: for a listener
// that may not give its socket away. False where the file system keeps no such lists. Throws std::system_error.
[[nodiscard]] bool permit_only(const std::string& path, uid_t user);

// A blocking socket. A listener whose queue is full keeps us waiting, for at most `limit`. Throws std::system_error
// (ENOENT, ECONNREFUSED: nobody there; EAGAIN: it was full all the time).
[[nodiscard]] UniqueFd connect_to(const std::string& path, int type,
                                  std::chrono::milliseconds limit = std::chrono::seconds(15));
// The same without waiting, for an event loop. The socket is non-blocking.
[[nodiscard]] UniqueFd connect_at_once(const std::string& path, int type);

// Accepts one connection of a non-blocking listener, non-blocking itself unless `mode` is 0; empty when none waits.
[[nodiscard]] UniqueFd accept_from(int listener, int mode = SOCK_NONBLOCK);

[[nodiscard]] Peer peer_of(int socket);

void set_blocking(int fd, bool blocking);

// Whether this errno says that the peer is gone.
[[nodiscard]] bool is_gone(int error) noexcept;

// ---- Messages on SOCK_SEQPACKET ------------------------------------------------------------------------------------

struct Packet {
    std::string bytes;
    std::vector<UniqueFd> descriptors;
    ~Packet() { ::explicit_bzero(bytes.data(), bytes.size()); }
    Packet() = default;
    Packet(Packet&&) noexcept = default;
    Packet& operator=(Packet&&) noexcept = default;
    Packet(const Packet&) = delete;
    Packet& operator=(const Packet&) = delete;

    // The one descriptor a message must carry; throws Malformed when there is none or more.
    [[nodiscard]] UniqueFd only_descriptor();
};

enum class Sent { Yes, WouldBlock, PeerGone };
// Throws std::system_error only for faults of this side (no memory, no descriptors).
[[nodiscard]] Sent send_packet(int socket, std::string_view bytes, std::initializer_list<int> descriptors = {});
[[nodiscard]] Sent send_packet(int socket, std::string_view bytes, const std::vector<UniqueFd>& descriptors);

template <class Message>
[[nodiscard]] Sent send_message(int socket, Message&& message, std::initializer_list<int> descriptors = {}) {
    const auto encoded = encode(std::forward<Message>(message));
    return send_packet(socket, encoded.bytes(), descriptors);
}

enum class Got { Packet, WouldBlock, PeerGone };
// A truncated packet (too long, too many descriptors) throws Malformed.
// `flags`: MSG_DONTWAIT for a socket that is blocking.
[[nodiscard]] Got receive_packet(int socket, Packet& packet, int flags = 0);

}  // namespace clamscanner
