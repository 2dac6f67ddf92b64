// Asks authd to check a login. Each thread of the responder has one, with its own connection, which is made at the
// first login and again after authd was restarted.
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

    // Sends the login with the agent's ends of the pipes, which authd passes on or closes. Throws std::system_error
    // when authd is not there.
    template <class AnyLogin>
    void ask_login(const AnyLogin& login, const RequestPipes& agents) {
        ask(encode(login), {agents.request.get(), agents.reply.get()});
    }

    // Sends the login without pipes, and waits for authd's answer; empty when none came by `deadline`. After Welcome,
    // open_agent() is the next call, or there is none and the login is forgotten. Throws as refusal() does, too.
    template <class AnyLogin>
    [[nodiscard]] std::optional<LoginAnswer> check_login(const AnyLogin& login, Deadline deadline) {
        ask(encode(login), {});
        return answer(deadline);
    }
    // The pipes for the login that check_login() was welcome with.
    void open_agent(const RequestPipes& agents);

    // The agent has replied, so the login was right.
    void was_welcome() noexcept { awaits_answer_ = false; }

    // Call when the pipe was closed without a reply. Gives authd's refusal, or nothing if it did not refuse. Throws
    // std::system_error when authd is gone, Malformed when it sent something else.
    [[nodiscard]] std::optional<LoginAnswer> refusal();

 private:
    using Descriptors = std::initializer_list<int>;
    void ask(const Encoded& login, Descriptors agents_ends);
    [[nodiscard]] Sent send(const Encoded& message, Descriptors descriptors) const;
    [[nodiscard]] std::optional<LoginAnswer> answer(Deadline deadline);
    void connect();

    std::string socket_path_;
    UniqueFd connection_;
    bool awaits_answer_ = false;
};

}  // namespace clamscanner
