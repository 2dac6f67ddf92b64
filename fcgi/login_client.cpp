#include "fcgi/login_client.h"

#include <sys/time.h>

#include <utility>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr timeval send_timeout{5, 0};  // authd normally reads at once

}  // namespace

void LoginClient::ask(const Encoded& login, const RequestPipes& agents) {
    // A late answer must not be mistaken for the answer to the next login.
    if (std::exchange(awaits_answer_, true)) connection_.reset();
    const auto send = [&] {
        return send_packet(connection_.get(), login.bytes(), {agents.request.get(), agents.reply.get()});
    };
    auto sent = connection_ ? send() : Sent::PeerGone;
    if (sent == Sent::PeerGone) {
        // The connection of an earlier request may be to an authd that has ended.
        connect();
        sent = send();
    }
    if (sent != Sent::Yes) throw_errno("ask authd", sent == Sent::WouldBlock ? ETIMEDOUT : ECONNRESET);
}

std::optional<LoginAnswer> LoginClient::refusal() {
    Packet packet;
    const auto got = receive_packet(connection_.get(), packet, MSG_DONTWAIT);
    if (got == Got::PeerGone) throw_errno("receive authd's answer", ECONNRESET);
    awaits_answer_ = false;
    if (got == Got::WouldBlock) return std::nullopt;
    const auto answer = decode<LoginAnswer>(packet.bytes);
    if (answer.verdict == LoginVerdict::Welcome || !packet.descriptors.empty())
        throw Malformed("malformed refusal from authd");
    return answer;
}

void LoginClient::connect() {
    connection_ = connect_to(socket_path_, SOCK_SEQPACKET);
    checked(::setsockopt(connection_.get(), SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof send_timeout),
            "limit a wait for authd");
}

}  // namespace clamscanner
