// The conversation with an account's agent: one request, one reply. The agent is its user's process, so its reply is
// foreign.
#pragma once

#include <optional>

#include "auth/socket.h"
#include "handlers/messages.h"

namespace clamscanner {

// Empty when the agent gave no reply by the deadline. Throws Malformed when what it gave is none.
[[nodiscard]] std::optional<Reply> ask_agent(int stream, const Request& request, Deadline deadline);

// Whether the fields of the reply may be sent on as they are.
[[nodiscard]] bool is_acceptable(const Reply& reply) noexcept;

}  // namespace clamscanner
