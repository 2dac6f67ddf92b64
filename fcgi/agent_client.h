// The conversation with an account's agent: one request, one reply, each on a pipe made for it. authd is given the
// agent's ends and hands them on, or closes them. The agent is its user's process, so its reply is foreign.
#pragma once

#include <optional>

#include "auth/authd/messages.h"
#include "auth/base/request_pipes.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/frames.h"

namespace clamscanner {

class AgentClient {
 public:
    // All must be over by `deadline`.
    explicit AgentClient(Deadline deadline);

    // Lets the request wait in the pipe for whoever reads there; what does not fit goes out with reply().
    void ask(const Request& request);

    [[nodiscard]] const RequestPipes& agents_ends() const noexcept { return agents_; }

    // Closes the agent's ends, which somebody else has by now, and waits. Empty when there is no reply: the pipe ended,
    // or it is late. Throws Malformed when what came is none.
    [[nodiscard]] std::optional<Reply> reply();

    [[nodiscard]] bool is_late() const { return Clock::now() >= deadline_; }

 private:
    Deadline deadline_;
    RequestPipes agents_;
    UniqueFd request_;
    UniqueFd reply_;
    FrameWriter unsent_;
};

// Whether the fields of the reply to such a request may be sent on as they are.
[[nodiscard]] bool is_acceptable(const Reply& reply, Purpose purpose) noexcept;

}  // namespace clamscanner
