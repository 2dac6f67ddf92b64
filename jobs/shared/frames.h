// Long messages on streams (sockets and pipes): a frame is a 32-bit little-endian length and that many bytes.
// Descriptors are non-blocking, and SIGPIPE is ignored. Used by all programs but root's, which accepts only short
// packets.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "auth/base/socket.h"

namespace clamscanner {

enum class Transfer { Done, PeerGone, TimedOut };
// For a process that serves one peer at a time.
[[nodiscard]] Transfer write_frame(int stream, std::string_view bytes, Deadline deadline);
// For a peer that sends one frame and then waits. Throws Malformed if the announced length exceeds `limit`, or if
// anything follows the frame.
[[nodiscard]] Transfer read_frame(int stream, std::string& bytes, std::size_t limit, Deadline deadline);

// For an event loop: reads what is available, and returns complete frames.
class FrameReader {
 public:
    explicit FrameReader(std::size_t limit) : limit_(limit) {}
    // Reads once. PeerGone at the end of the stream. Throws Malformed if a frame exceeds the limit.
    [[nodiscard]] Got read_from(int stream);
    // The same from a socket whose peer may be anybody. Takes no descriptors, and throws Malformed when some come: to
    // drop one may take as long as its owner likes.
    [[nodiscard]] Got read_from_stranger(int socket);
    // The next complete frame, if there is one.
    [[nodiscard]] std::optional<std::string> next();
    // Whether no unconsumed bytes are left.
    [[nodiscard]] bool empty() const noexcept { return pending_.empty(); }
    // The number of unconsumed bytes.
    [[nodiscard]] std::size_t size() const noexcept { return pending_.size(); }

 private:
    [[nodiscard]] Got take(const char* chunk, ssize_t got);

    std::size_t limit_;
    std::string pending_;
};

// Buffers what the peer does not read yet.
class FrameWriter {
 public:
    void add(std::string_view bytes);
    // WouldBlock if something is left to send.
    [[nodiscard]] Sent write_to(int stream);
    [[nodiscard]] bool empty() const noexcept { return sent_ == pending_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return pending_.size() - sent_; }

 private:
    std::string pending_;
    std::size_t sent_ = 0;
};

// Writes what is left in the buffer.
[[nodiscard]] Transfer write_rest(FrameWriter& writer, int stream, Deadline deadline);

}  // namespace clamscanner
