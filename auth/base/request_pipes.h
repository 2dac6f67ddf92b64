// The way of one request between a responder and an agent: a pipe there and a pipe back. The responder makes both and
// sends the agent's ends with the login; authd hands them on. Pipes, not a socket: the kernel looks for cycles whenever
// a socket closes while another is under way in a message, which made every request a tenth dearer
// (tests/bench/api.py).
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/socket.h"

namespace clamscanner {

// Made non-blocking; the agent makes sure of it, as the one who sent them is not trusted in that.
struct RequestPipes {
    UniqueFd request;  // to be read by the agent
    UniqueFd reply;    // to be written by it
};

// Those that came with a message. Nothing but pipes may reach an agent: it would write to whatever it is given.
[[nodiscard]] inline RequestPipes take_pipes(Packet& packet) {
    const auto is_pipe = [](const UniqueFd& descriptor) {
        struct stat status {};
        checked(::fstat(descriptor.get(), &status), "examine a descriptor");
        return S_ISFIFO(status.st_mode);
    };
    auto& descriptors = packet.descriptors;
    if (descriptors.size() != 2 || !std::all_of(descriptors.begin(), descriptors.end(), is_pipe))
        throw Malformed("a message carries something else than two pipes");
    return {std::move(descriptors[0]), std::move(descriptors[1])};
}

}  // namespace clamscanner
