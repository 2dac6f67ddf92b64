// The pipes of one request between a responder and an agent, one in each direction. The responder makes both and sends
// the agent's ends with the login; authd passes them on. Pipes, not sockets: whenever a socket closes while another is
// in flight in a message, the kernel searches for cycles, which made every request a tenth slower (tests/bench/api.py).
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/socket.h"

namespace clamscanner {

// Non-blocking. The agent sets that again, because it does not trust the sender.
struct RequestPipes {
    UniqueFd request;  // to be read by the agent
    UniqueFd reply;    // to be written by it
};

// Takes the pipes that came with a message. Nothing but pipes may reach an agent: it would write to whatever it is
// given.
[[nodiscard]] inline RequestPipes take_pipes(Packet& packet) {
    const auto is_pipe = [](const UniqueFd& descriptor) {
        struct stat status {};
        checked(::fstat(descriptor.get(), &status), "examine a descriptor");
        return S_ISFIFO(status.st_mode);
    };
    auto& descriptors = packet.descriptors;
    if (descriptors.size() != 2 || !std::all_of(descriptors.begin(), descriptors.end(), is_pipe))
        throw Malformed("a message does not carry exactly two pipes");
    return {std::move(descriptors[0]), std::move(descriptors[1])};
}

}  // namespace clamscanner
