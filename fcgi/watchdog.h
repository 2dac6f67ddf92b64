// Enforces time limits on web server connections: libfcgi reads and writes without any. Each thread sets a deadline for
// what it does; the main thread checks them regularly and shuts down the sockets that are overdue.
#pragma once

#include <deque>
#include <mutex>

#include "auth/base/socket.h"

namespace clamscanner {

// One thread's connection and its deadline.
class Watch {
 public:
    Watch() = default;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // From now on `socket` is watched. It is a duplicate, so that it cannot be closed, and its number reused, while the
    // watchdog acts on it.
    void begin(UniqueFd socket);
    // After `deadline`, reading returns the end of the stream.
    void limit_reading(Deadline deadline) { limit(deadline, SHUT_RD); }
    // After `deadline`, neither reading nor writing is possible.
    void limit_writing(Deadline deadline) { limit(deadline, SHUT_RDWR); }
    void pause() { limit(Deadline::max(), SHUT_RD); }
    // It is not watched any more.
    UniqueFd end();

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
