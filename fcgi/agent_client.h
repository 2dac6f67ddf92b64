// The conversation with an account's agent: one request, one reply, on a stream made for it. authd is given the other
// end and hands it to the agent, or closes it. The agent is its user's process, so its reply is foreign.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "auth/socket.h"
#include "handlers/messages.h"

namespace clamscanner {

class AgentClient {
 public:
    // All must be over by `deadline`.
    explicit AgentClient(Deadline deadline) : deadline_(deadline), ends_(socket_pair(SOCK_STREAM)) {}

    // Lets the request wait in the stream for whoever reads at the other end; one that is too long for that goes out
    // with reply().
    void ask(const Request& request);

    [[nodiscard]] const UniqueFd& other_end() const noexcept { return ends_.second; }

    // Closes the other end, which somebody else has by now, and waits. Empty when there is no reply: the stream ended,
    // or it is late. Throws Malformed when what came is none.
    [[nodiscard]] std::optional<Reply> reply();

    [[nodiscard]] bool is_late() const { return Clock::now() >= deadline_; }

 private:
    Deadline deadline_;
    std::pair<UniqueFd, UniqueFd> ends_;
    std::string frame_;  // still to be sent
};

// Whether the fields of the reply may be sent on as they are.
[[nodiscard]] bool is_acceptable(const Reply& reply) noexcept;

}  // namespace clamscanner
