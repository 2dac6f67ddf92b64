// Asks authd whether a login is right. Each thread of the responder has one, with a connection of its own, made at the
// first login and anew when authd was started again.
#pragma once

#include <optional>
#include <string>

#include "auth/authd/messages.h"
#include "auth/base/request_pipes.h"
#include "auth/base/socket.h"

namespace clamscanner {

class LoginClient {
 public:
    explicit LoginClient(std::string socket_path) : socket_path_(std::move(socket_path)) {}

    // Sends the question with the agent's ends of the pipes, which authd hands on or closes: until then there is
    // nothing to be heard on ours. Throws std::system_error when authd is not there.
    template <class AnyLogin>
    void ask_login(const AnyLogin& login, const RequestPipes& agents) {
        ask(encode(login), agents);
    }

    // The agent has replied, so the login was right.
    void was_welcome() noexcept { waits_ = false; }

    // The pipe has ended without a reply: why authd refused, or nothing if it did not. Throws std::system_error or
    // Malformed when authd is gone or says what it may not.
    [[nodiscard]] std::optional<LoginAnswer> refusal();

 private:
    void ask(const Encoded& login, const RequestPipes& agents);
    void connect();

    std::string socket_path_;
    UniqueFd connection_;
    bool waits_ = false;  // for an answer
};

}  // namespace clamscanner
