// Asks authd whether a login is right. Each thread of the responder has one, with a connection of its own, made at the
// first login and anew when authd was started again.
#pragma once

#include <chrono>
#include <string>

#include "auth/messages.h"
#include "auth/socket.h"

namespace clamscanner {

struct LoginResult {
    LoginAnswer answer;
    UniqueFd agent;  // with Welcome: a stream to the account's agent, good for one request
};

class LoginClient {
 public:
    // authd must answer within `patience`.
    LoginClient(std::string socket_path, std::chrono::seconds patience)
        : socket_path_(std::move(socket_path)), patience_(patience) {}

    // Throws std::system_error or Malformed when authd is not there or does not answer as it should.
    [[nodiscard]] LoginResult ask_login(const Login& login);

 private:
    void connect();
    // False when the connection is broken.
    [[nodiscard]] bool try_ask(const Login& login, LoginResult& result);

    std::string socket_path_;
    std::chrono::seconds patience_;
    UniqueFd connection_;
};

}  // namespace clamscanner
