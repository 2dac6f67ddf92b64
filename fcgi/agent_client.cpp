#include "fcgi/agent_client.h"

#include <algorithm>
#include <iterator>

#include "jobs/frames.h"

namespace clamscanner {
namespace {

// What an agent may answer with. A 401 of its making, for one, would have a browser ask for the password again.
constexpr std::uint16_t agent_statuses[] = {200, 404, 405, 415, 500, 503};

}  // namespace

std::optional<Reply> ask_agent(int stream, const Request& request, Deadline deadline) {
    if (write_frame(stream, encode(request).bytes(), deadline) != Transfer::Done) return std::nullopt;
    std::string frame;
    if (read_frame(stream, frame, longest_reply_frame, deadline) != Transfer::Done) return std::nullopt;
    return decode<Reply>(frame);
}

bool is_acceptable(const Reply& reply) noexcept {
    const auto may_stand_in_allow = [](char c) { return (c >= 'A' && c <= 'Z') || c == ',' || c == ' '; };
    const auto* const status = std::ranges::find(agent_statuses, reply.status);
    return status != std::end(agent_statuses) && std::ranges::all_of(reply.allow, may_stand_in_allow);
}

}  // namespace clamscanner
