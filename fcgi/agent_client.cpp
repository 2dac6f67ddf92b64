#include "fcgi/agent_client.h"

#include <poll.h>

#include <algorithm>
#include <iterator>

#include "auth/checked.h"

namespace clamscanner {
namespace {

// What an agent may answer with. A 401 of its making, for one, would have a browser ask for the password again.
constexpr std::uint16_t agent_statuses[] = {200, 404, 405, 415, 500, 503};

bool wait_for_bytes(int stream, Deadline deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{stream, POLLIN, 0};
    return checked(uninterrupted([&] { return ::poll(&waiting, 1, static_cast<int>(left)); }), "wait for an agent") > 0;
}

}  // namespace

std::optional<Reply> ask_agent(int stream, const Request& request, Deadline deadline) {
    if (write_frame(stream, encode(request).bytes(), deadline) != Transfer::Done) return std::nullopt;
    // A reply is usually one piece: waited for once and read in one call.
    FrameReader reader(longest_reply_frame);
    while (wait_for_bytes(stream, deadline)) {
        if (reader.read_from(stream) == Got::PeerGone) return std::nullopt;
        if (const auto frame = reader.next()) return decode<Reply>(*frame);
    }
    return std::nullopt;
}

bool is_acceptable(const Reply& reply) noexcept {
    const auto may_stand_in_allow = [](char c) { return (c >= 'A' && c <= 'Z') || c == ',' || c == ' '; };
    const auto* const status = std::ranges::find(agent_statuses, reply.status);
    return status != std::end(agent_statuses) && std::ranges::all_of(reply.allow, may_stand_in_allow);
}

}  // namespace clamscanner
