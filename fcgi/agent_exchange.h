// One exchange with an account's agent: one request and one reply, each on a pipe made for it. authd gets the agent's
// ends and passes them on, or closes them. The agent runs as its user, so its reply is untrusted.
#pragma once

#include <optional>

#include "auth/authd/messages.h"
#include "auth/base/request_pipes.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/frames.h"

namespace clamscanner {

class AgentExchange {
 public:
    // Everything must be finished by `deadline`.
    explicit AgentExchange(Deadline deadline);

    // Writes the request into its pipe; what does not fit there is written by reply().
    void ask(const Request& request);

    [[nodiscard]] const RequestPipes& agents_ends() const noexcept { return agents_; }

    // Closes our copies of the agent's ends and waits. Empty when there is no reply: the pipe was closed, or the
    // deadline passed. Throws Malformed when the bytes are not a reply.
    [[nodiscard]] std::optional<Reply> reply();

    [[nodiscard]] bool is_late() const { return Clock::now() >= deadline_; }

 private:
    Deadline deadline_;
    RequestPipes agents_;
    UniqueFd request_;
    UniqueFd reply_;
    FrameWriter unsent_;
};

// Whether the fields of the reply to such a request may be passed on as they are.
[[nodiscard]] bool is_acceptable(const Reply& reply, Purpose purpose) noexcept;

}  // namespace clamscanner
