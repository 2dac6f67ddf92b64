#include "fcgi/login_client.h"

#include <sys/time.h>

#include "auth/checked.h"

namespace clamscanner {

LoginResult LoginClient::ask_login(const Login& login) {
    LoginResult result;
    try {
        // The connection kept from an earlier request may be to an authd that is no more.
        if (connection_ && try_ask(login, result)) return result;
        connect();
        if (try_ask(login, result)) return result;
    } catch (...) {
        // A late answer must not be taken for that of the next login.
        connection_.reset();
        throw;
    }
    connection_.reset();
    throw_errno("keep a connection to authd", ECONNRESET);
}

void LoginClient::connect() {
    connection_ = connect_to(socket_path_, SOCK_SEQPACKET);
    const timeval limit{patience_.count(), 0};
    checked(::setsockopt(connection_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "limit a wait for authd");
    checked(::setsockopt(connection_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), "limit a wait for authd");
}

bool LoginClient::try_ask(const Login& login, LoginResult& result) {
    const auto sent = send_message(connection_.get(), login);
    if (sent == Sent::PeerGone) return false;
    Packet packet;
    const auto got = sent == Sent::Yes ? receive_packet(connection_.get(), packet) : Got::WouldBlock;
    if (got == Got::PeerGone) return false;
    if (got == Got::WouldBlock) throw_errno("wait for authd", ETIMEDOUT);
    result.answer = decode<LoginAnswer>(packet.bytes);
    if (result.answer.verdict == LoginVerdict::Welcome) {
        result.agent = packet.only_descriptor();
    } else if (!packet.descriptors.empty()) {
        throw Malformed("authd sent a descriptor with a refusal");
    }
    return true;
}

}  // namespace clamscanner
