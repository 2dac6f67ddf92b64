// Has authd carry out an order about an account's API tokens. Each thread of the responder has one, with a connection
// of its own, which is made at the first order and again after authd was restarted.
#pragma once

#include <string>

#include "auth/authd/messages.h"
#include "auth/base/socket.h"

namespace clamscanner {

class TokenClient {
 public:
    TokenClient(std::string socket_path, std::chrono::seconds timeout)
        : socket_path_(std::move(socket_path)), timeout_(timeout) {}

    // Blocking. Throws std::system_error when authd is not there or does not answer in time, Malformed when it sent
    // something else. Then it is not known whether the order was carried out.
    [[nodiscard]] TokenAnswer ask(const TokenOrder& order);

 private:
    void connect();

    const std::string socket_path_;
    const std::chrono::seconds timeout_;
    UniqueFd connection_;
};

}  // namespace clamscanner
