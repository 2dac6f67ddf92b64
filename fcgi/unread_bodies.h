// The connections of requests that were answered before their bodies had come. Closing them at once could lose the
// answer: the web server may still be sending, and take the fault that it meets for the end of the request. So one
// thread reads and discards what comes, until the web server closes, or for a limited time and number of bytes.
// Shared by all threads.
#pragma once

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {

class UnreadBodies {
 public:
    // At a time. Beyond that, those that came first are closed: they have had the longest time to get their answers.
    static constexpr std::size_t most = 1024;
    // Of one body: more than mod_fcgid takes in by apache/clamscanner-fcgid.conf, with FastCGI's headers.
    static constexpr std::size_t most_bytes = 40 * 1024 * 1024;

    UnreadBodies();
    UnreadBodies(const UnreadBodies&) = delete;
    UnreadBodies& operator=(const UnreadBodies&) = delete;
    // Closes what is left.
    ~UnreadBodies();

    // Nothing more is written to it.
    void take(UniqueFd connection, Deadline until);

    // Waits until none is left, at most until the deadline.
    void finish(Deadline deadline);

 private:
    struct Body {
        UniqueFd connection;
        Deadline until;
        std::size_t discarded = 0;
    };
    void discard_until_stopped();
    // False when it is to stop.
    [[nodiscard]] bool wait();
    void take_over();
    [[nodiscard]] static bool discard(Body& body);

    UniqueFd wake_up_;
    std::mutex mutex_;
    std::vector<Body> arrived_;  // not yet taken over by the thread
    bool stopping_ = false;
    std::size_t left_ = 0;     // arrived or the thread's
    std::deque<Body> bodies_;  // the thread's alone
    std::thread thread_;
};

}  // namespace clamscanner
