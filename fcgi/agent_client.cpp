#include "fcgi/agent_client.h"

#include <algorithm>
#include <iterator>

#include "auth/checked.h"
#include "jobs/frames.h"

namespace clamscanner {
namespace {

// What an agent may answer with. A 401 of its making, for one, would have a browser ask for the password again.
constexpr std::uint16_t agent_statuses[] = {200, 404, 405, 415, 500, 503};

// What any kernel's stream holds unread.
constexpr std::size_t most_at_once = 32 * 1024;

}  // namespace

void AgentClient::ask(const Request& request) {
    frame_ = encode(request).bytes();
    if (frame_.size() > most_at_once) return;
    if (write_frame(ends_.first.get(), frame_, deadline_) != Transfer::Done) throw_errno("write a request", EPIPE);
    frame_.clear();
}

std::optional<Reply> AgentClient::reply() {
    ends_.second.reset();
    const int stream = ends_.first.get();
    if (!frame_.empty() && write_frame(stream, frame_, deadline_) != Transfer::Done) return std::nullopt;
    if (read_frame(stream, frame_, longest_reply_frame, deadline_) != Transfer::Done) return std::nullopt;
    return decode<Reply>(frame_);
}

bool is_acceptable(const Reply& reply) noexcept {
    const auto may_stand_in_allow = [](char c) { return (c >= 'A' && c <= 'Z') || c == ',' || c == ' '; };
    const auto* const status = std::ranges::find(agent_statuses, reply.status);
    return status != std::end(agent_statuses) && std::ranges::all_of(reply.allow, may_stand_in_allow);
}

}  // namespace clamscanner
