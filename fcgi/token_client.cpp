#include "fcgi/token_client.h"

#include <sys/time.h>

#include <utility>

#include "auth/base/checked.h"

namespace clamscanner {

TokenAnswer TokenClient::ask(const TokenOrder& order) {
    // Kept only if the whole exchange went well: a late answer must not be taken for that to the next order.
    auto kept = std::exchange(connection_, {});
    auto sent = kept ? send_message(kept.get(), order) : Sent::PeerGone;
    if (sent == Sent::PeerGone) {
        // The connection of an earlier order may be to an authd that has ended.
        connect();
        kept = std::exchange(connection_, {});
        sent = send_message(kept.get(), order);
    }
    if (sent != Sent::Yes) throw_errno("ask authd", sent == Sent::WouldBlock ? ETIMEDOUT : ECONNRESET);
    Packet packet;
    const auto got = receive_packet(kept.get(), packet);
    if (got != Got::Packet) throw_errno("receive authd's answer", got == Got::WouldBlock ? ETIMEDOUT : ECONNRESET);
    auto answer = decode<TokenAnswer>(packet.bytes);
    connection_ = std::move(kept);
    return answer;
}

void TokenClient::connect() {
    connection_ = connect_to(socket_path_, SOCK_SEQPACKET);
    const timeval timeout{timeout_.count(), 0};
    for (const int direction : {SO_SNDTIMEO, SO_RCVTIMEO})
        checked(::setsockopt(connection_.get(), SOL_SOCKET, direction, &timeout, sizeof timeout),
                "limit a wait for authd");
}

}  // namespace clamscanner
