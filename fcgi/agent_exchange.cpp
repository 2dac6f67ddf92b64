#include "fcgi/agent_exchange.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "auth/authd/messages.h"
#include "auth/base/checked.h"

namespace clamscanner {
namespace {

// The statuses that an agent may answer with. A 401 from an agent, for example, would make a browser ask for the
// password again.
struct StatusRow {
    Purpose purpose;
    std::uint16_t status;
};
constexpr StatusRow agent_statuses[] = {
    {Purpose::Api, 200},        {Purpose::Api, 403},        {Purpose::Api, 404},        {Purpose::Api, 405},
    {Purpose::Api, 415},        {Purpose::Api, 500},        {Purpose::Api, 503},        {Purpose::Statistics, 200},
    {Purpose::Statistics, 400}, {Purpose::Statistics, 403}, {Purpose::Statistics, 404}, {Purpose::Statistics, 500},
};

}  // namespace

AgentExchange::AgentExchange(Deadline deadline) : deadline_(deadline) {
    const auto make = [](UniqueFd& read, UniqueFd& write) {
        int ends[2];
        checked(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), "make a pipe");
        read.reset(ends[0]);
        write.reset(ends[1]);
    };
    make(agents_.request, request_);
    make(reply_, agents_.reply);
}

void AgentExchange::ask(const Request& request) {
    unsent_.add(encode(request).bytes());
    static_cast<void>(unsent_.write_to(request_.get()));
}

std::optional<Reply> AgentExchange::reply() {
    agents_ = {};
    if (write_rest(unsent_, request_.get(), deadline_) != Transfer::Done) return std::nullopt;
    std::string frame;
    if (read_frame(reply_.get(), frame, longest_reply_frame, deadline_) != Transfer::Done) return std::nullopt;
    return decode<Reply>(frame);
}

bool is_acceptable(const Reply& reply, Purpose purpose) noexcept {
    const auto may_stand_in_allow = [](char c) { return (c >= 'A' && c <= 'Z') || c == ',' || c == ' '; };
    const bool is_permitted_status = std::ranges::any_of(
        agent_statuses, [&](const StatusRow& row) { return row.purpose == purpose && row.status == reply.status; });
    return is_permitted_status && std::ranges::all_of(reply.allow, may_stand_in_allow);
}

}  // namespace clamscanner
