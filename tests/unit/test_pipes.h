// The pipes of a request, as a responder makes them.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/base/request_pipes.h"

namespace clamscanner {

struct TestPipes {
    RequestPipes agents;
    UniqueFd request;  // ours, to write
    UniqueFd reply;    // ours, to read

    TestPipes() {
        int there[2];
        int back[2];
        BOOST_REQUIRE(::pipe2(there, O_CLOEXEC | O_NONBLOCK) == 0);
        BOOST_REQUIRE(::pipe2(back, O_CLOEXEC | O_NONBLOCK) == 0);
        agents = {UniqueFd(there[0]), UniqueFd(back[1])};
        request.reset(there[1]);
        reply.reset(back[0]);
    }

    [[nodiscard]] static bool has_ended(const UniqueFd& reply) {
        char byte = 0;
        return ::read(reply.get(), &byte, 1) == 0;
    }
    // Waits for the end.
    [[nodiscard]] static bool ends(const UniqueFd& reply) {
        pollfd waiting{reply.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 10'000) == 1 && has_ended(reply);
    }
};

}  // namespace clamscanner
