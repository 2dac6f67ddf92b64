#include "fcgi/agent_client.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "auth/checked.h"

namespace clamscanner {
namespace {

// What an agent may answer with. A 401 of its making, for one, would have a browser ask for the password again.
constexpr std::uint16_t agent_statuses[] = {200, 404, 405, 415, 500, 503};

}  // namespace

AgentClient::AgentClient(Deadline deadline) : deadline_(deadline) {
    const auto make = [](UniqueFd& read, UniqueFd& write) {
        int ends[2];
        checked(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), "make a pipe");
        read.reset(ends[0]);
        write.reset(ends[1]);
    };
    make(agents_.request, request_);
    make(reply_, agents_.reply);
}

void AgentClient::ask(const Request& request) {
    unsent_.add(encode(request).bytes());
    static_cast<void>(unsent_.write_to(request_.get()));
}

std::optional<Reply> AgentClient::reply() {
    agents_ = {};
    if (write_rest(unsent_, request_.get(), deadline_) != Transfer::Done) return std::nullopt;
    std::string frame;
    if (read_frame(reply_.get(), frame, longest_reply_frame, deadline_) != Transfer::Done) return std::nullopt;
    return decode<Reply>(frame);
}

bool is_acceptable(const Reply& reply) noexcept {
    const auto may_stand_in_allow = [](char c) { return (c >= 'A' && c <= 'Z') || c == ',' || c == ' '; };
    const auto* const status = std::ranges::find(agent_statuses, reply.status);
    return status != std::end(agent_statuses) && std::ranges::all_of(reply.allow, may_stand_in_allow);
}

}  // namespace clamscanner
