#include "fcgi/login_client.h"

#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr timeval send_timeout{5, 0};  // authd normally reads at once

void expect(Sent sent) {
    if (sent != Sent::Yes) throw_errno("ask authd", sent == Sent::WouldBlock ? ETIMEDOUT : ECONNRESET);
}

// False when the deadline passes first.
bool wait_for(int socket, Deadline deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{socket, POLLIN, 0};
    return uninterrupted([&] { return ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left, 0))); }) > 0;
}

}  // namespace

void LoginClient::ask(const Encoded& login, Descriptors agents_ends) {
    // A late answer must not be mistaken for the answer to the next login, and a login that was right but was not used
    // must not stand in its way.
    if (std::exchange(awaits_answer_, true)) connection_.reset();
    auto sent = connection_ ? send(login, agents_ends) : Sent::PeerGone;
    if (sent == Sent::PeerGone) {
        // The connection of an earlier request may be to an authd that has ended.
        connect();
        sent = send(login, agents_ends);
    }
    expect(sent);
}

Sent LoginClient::send(const Encoded& message, Descriptors descriptors) const {
    return send_packet(connection_.get(), message.bytes(), descriptors);
}

void LoginClient::open_agent(const RequestPipes& agents) {
    expect(send(encode(OpenAgent{}), {agents.request.get(), agents.reply.get()}));
}

std::optional<LoginAnswer> LoginClient::refusal() {
    const auto refused = answer(Clock::now());
    if (refused && refused->verdict == LoginVerdict::Welcome) throw Malformed("authd was to refuse, and welcomes");
    awaits_answer_ = false;
    return refused;
}

std::optional<LoginAnswer> LoginClient::answer(Deadline deadline) {
    Packet packet;
    const auto got = wait_for(connection_.get(), deadline) ? receive_packet(connection_.get(), packet, MSG_DONTWAIT)
                                                           : Got::WouldBlock;
    if (got == Got::PeerGone) throw_errno("receive authd's answer", ECONNRESET);
    if (got == Got::WouldBlock) return std::nullopt;
    const auto answer = decode<LoginAnswer>(packet.bytes);
    if (!packet.descriptors.empty()) throw Malformed("authd's answer carries a descriptor");
    // After Welcome it awaits the pipes.
    awaits_answer_ = answer.verdict == LoginVerdict::Welcome;
    return answer;
}

void LoginClient::connect() {
    connection_ = connect_to(socket_path_, SOCK_SEQPACKET);
    checked(::setsockopt(connection_.get(), SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof send_timeout),
            "limit a wait for authd");
}

}  // namespace clamscanner
