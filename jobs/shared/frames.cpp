#include "jobs/shared/frames.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr std::size_t chunk_size = 64 * 1024;

std::uint32_t length_at(std::string_view bytes) noexcept {
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < 4; ++i)
        length |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return length;
}

std::array<char, 4> length_bytes(std::size_t length) {
    if (length > UINT32_MAX) throw Malformed("a frame is too long");
    std::array<char, 4> bytes{};
    for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>((length >> (8 * i)) & 0xff);
    return bytes;
}

Transfer wait_for(int stream, short events, Deadline deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return Transfer::TimedOut;
        pollfd waiting{stream, events, 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 60'000)));
        if (ready > 0) return Transfer::Done;
        if (ready < 0 && errno != EINTR) throw_errno("wait for a peer");
    }
}

Transfer write_all(int stream, std::string_view bytes, Deadline deadline) {
    while (!bytes.empty()) {
        const auto written = uninterrupted([&] { return ::write(stream, bytes.data(), bytes.size()); });
        if (written >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        } else if (is_gone(errno)) {
            return Transfer::PeerGone;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
            throw_errno("write to a peer");
        } else if (const auto waited = wait_for(stream, POLLOUT, deadline); waited != Transfer::Done) {
            return waited;
        }
    }
    return Transfer::Done;
}

}  // namespace

Transfer write_frame(int stream, std::string_view bytes, Deadline deadline) {
    const auto length = length_bytes(bytes.size());
    if (bytes.size() <= 64 * 1024) {
        // One call and one wake-up of the peer for the usual small frame.
        std::string frame(length.data(), length.size());
        frame += bytes;
        return write_all(stream, frame, deadline);
    }
    const auto header = write_all(stream, {length.data(), length.size()}, deadline);
    return header == Transfer::Done ? write_all(stream, bytes, deadline) : header;
}

Transfer read_frame(int stream, std::string& bytes, std::size_t limit, Deadline deadline) {
    FrameReader reader(limit);
    for (;;) {
        // Most frames have yet to arrive and come in one piece: one wait and one read.
        if (const auto waited = wait_for(stream, POLLIN, deadline); waited != Transfer::Done) return waited;
        auto got = reader.read_from(stream);
        while (got == Got::Packet) {
            if (auto frame = reader.next()) {
                if (!reader.empty()) throw Malformed("bytes are left over after a frame");
                bytes = *std::move(frame);
                return Transfer::Done;
            }
            got = reader.read_from(stream);
        }
        if (got == Got::PeerGone) return Transfer::PeerGone;
    }
}

Got FrameReader::read_from(int stream) {
    char chunk[chunk_size];
    return take(chunk, uninterrupted([&] { return ::read(stream, chunk, sizeof chunk); }));
}

Got FrameReader::read_from_stranger(int socket) {
    char chunk[chunk_size];
    iovec part{chunk, sizeof chunk};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    // Only looks: the descriptors that come with a message stay in the socket, and we are told of them.
    const auto seen = uninterrupted([&] { return ::recvmsg(socket, &message, MSG_PEEK); });
    if (seen <= 0) return take(chunk, seen);
    if ((message.msg_flags & MSG_CTRUNC) != 0) throw Malformed("it passes descriptors along");
    part.iov_len = static_cast<std::size_t>(seen);
    return take(chunk, uninterrupted([&] { return ::recv(socket, chunk, part.iov_len, 0); }));
}

// `got`: what a call to read has returned.
Got FrameReader::take(const char* chunk, ssize_t got) {
    if (got == 0) return Got::PeerGone;
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Got::WouldBlock;
        if (is_gone(errno)) return Got::PeerGone;
        throw_errno("read from a peer");
    }
    pending_.append(chunk, static_cast<std::size_t>(got));
    if (pending_.size() >= 4 && length_at(pending_) > limit_) throw Malformed("a frame is longer than allowed");
    return Got::Packet;
}

std::optional<std::string> FrameReader::next() {
    if (pending_.size() < 4) return std::nullopt;
    const std::size_t size = length_at(pending_);
    if (size > limit_) throw Malformed("a frame is longer than allowed");
    if (pending_.size() < 4 + size) return std::nullopt;
    std::string frame;
    if (pending_.size() == 4 + size) {
        pending_.erase(0, 4);
        frame.swap(pending_);
    } else {
        frame = pending_.substr(4, size);
        pending_.erase(0, 4 + size);
    }
    return frame;
}

void FrameWriter::add(std::string_view bytes) {
    const auto length = length_bytes(bytes.size());
    pending_.append(length.data(), length.size());
    pending_.append(bytes);
}

Sent FrameWriter::write_to(int stream) {
    while (sent_ < pending_.size()) {
        const auto sent =
            uninterrupted([&] { return ::write(stream, pending_.data() + sent_, pending_.size() - sent_); });
        if (sent < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) return Sent::WouldBlock;
            if (is_gone(errno)) return Sent::PeerGone;
            throw_errno("write to a peer");
        }
        sent_ += static_cast<std::size_t>(sent);
    }
    pending_.clear();
    sent_ = 0;
    return Sent::Yes;
}

Transfer write_rest(FrameWriter& writer, int stream, Deadline deadline) {
    for (;;) {
        const auto sent = writer.write_to(stream);
        if (sent != Sent::WouldBlock) return sent == Sent::Yes ? Transfer::Done : Transfer::PeerGone;
        if (const auto waited = wait_for(stream, POLLOUT, deadline); waited != Transfer::Done) return waited;
    }
}

}  // namespace clamscanner
