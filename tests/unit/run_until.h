// Turns an event loop until a condition holds; fails the test when that takes longer than ten seconds.
#pragma once

#include <boost/test/unit_test.hpp>

#include "auth/base/event_loop.h"

namespace clamscanner {

inline void run_until(EventLoop& loop, const std::function<bool()>& holds) {
    bool in_time = true;
    const auto limit = loop.after(std::chrono::seconds(10), [&] {
        in_time = false;
        loop.stop();
    });
    // Ends a round now and then: not every condition comes with an event of this loop.
    EventLoop::Timer next_look;
    const std::function<void()> look = [&] { next_look = loop.after(std::chrono::milliseconds(2), look); };
    look();
    loop.at_end_of_round([&] {
        if (holds()) loop.stop();
    });
    loop.run();
    loop.at_end_of_round(nullptr);
    BOOST_REQUIRE_MESSAGE(in_time, "what the test waits for did not come");
}

}  // namespace clamscanner
