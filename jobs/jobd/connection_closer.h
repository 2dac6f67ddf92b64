// Closes connections of programs that are not trusted, without waiting. Such a program may pass descriptors along with
// what it sends, and whoever drops the last reference to one of them waits in the kernel: for a TCP socket that
// lingers, as long as its owner likes. So a connection with unread bytes is left to a child, which drops them by
// ending: a process that ends waits for no socket.
//
// Read such connections with FrameReader::read_from_stranger() alone: it takes no message with descriptors.
#pragma once

#include <list>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {

class ConnectionCloser {
 public:
    explicit ConnectionCloser(EventLoop& loop) : loop_(loop) {}
    ConnectionCloser(const ConnectionCloser&) = delete;
    ConnectionCloser& operator=(const ConnectionCloser&) = delete;
    ~ConnectionCloser();

    // Call it for a new connection, before anything is read.
    static void prepare(int connection);
    // Its peer learns of the end at once. Not watched any more.
    void close(UniqueFd connection);

 private:
    struct Child {
        ChildProcess process;
        EventLoop::Watch watch;  // of its end
    };
    void leave_to_a_child();
    void start_child();

    EventLoop& loop_;
    std::vector<UniqueFd> unread_;
    EventLoop::Timer next_;
    std::list<Child> children_;
};

}  // namespace clamscanner
