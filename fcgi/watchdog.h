// Ends what takes a web server too long: libfcgi reads and writes without any limit of time. The threads say what they
// are at, the main thread looks at them all now and then and shuts down the sockets that are overdue.
#pragma once

#include <deque>
#include <mutex>

#include "auth/base/socket.h"

namespace clamscanner {

// One thread's place under the watchdog's eyes.
class Watch {
 public:
    Watch() = default;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // From now on `socket` is watched; it is a duplicate, so that it cannot be closed, and its number be another's,
    // while the watchdog acts on it.
    void begin(UniqueFd socket);
    // After `deadline` reading from it meets the end of the stream.
    void limit_reading(Deadline deadline) { limit(deadline, SHUT_RD); }
    // After `deadline` it is as closed.
    void limit_writing(Deadline deadline) { limit(deadline, SHUT_RDWR); }
    void pause() { limit(Deadline::max(), SHUT_RD); }
    void end();

    // Called by the watchdog.
    void check(Deadline now);

 private:
    void limit(Deadline deadline, int how);

    std::mutex mutex_;
    UniqueFd socket_;
    Deadline deadline_ = Deadline::max();
    int how_ = SHUT_RD;
};

// A deque, as a watch may not move.
using Watchdog = std::deque<Watch>;

}  // namespace clamscanner
