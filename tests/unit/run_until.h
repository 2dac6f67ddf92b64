// Turns an event loop until a condition holds; fails the test when that takes longer than ten seconds.
#pragma once

#include <boost/test/unit_test.hpp>

#include "auth/event_loop.h"

namespace clamscanner {

inline void run_until(EventLoop& loop, const std::function<bool()>& holds) {
    bool in_time = true;
    const auto limit = loop.after(std::chrono::seconds(10), [&] {
        in_time = false;
        loop.stop();
    });
    // Ends the first round at once, should the condition hold already.
    const auto at_once = loop.after(std::chrono::milliseconds(0), [] {});
    loop.at_end_of_round([&] {
        if (holds()) loop.stop();
    });
    loop.run();
    loop.at_end_of_round(nullptr);
    loop.cancel(limit);
    loop.cancel(at_once);
    BOOST_REQUIRE_MESSAGE(in_time, "what the test waits for did not come");
}

}  // namespace clamscanner
