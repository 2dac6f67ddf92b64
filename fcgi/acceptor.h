// Accepts connections for the responder's threads, until it is told to stop.
#pragma once

#include <atomic>

#include "auth/base/unique_fd.h"
#include "fcgi/listener.h"

namespace clamscanner {

// Shared by all threads.
class Acceptor {
 public:
    explicit Acceptor(const Listener& listener);

    // From now on threads get no more connections, except those that already wait on a socket that nobody else serves.
    void stop();

 private:
    friend class ThreadAcceptor;
    const Listener& listener_;
    UniqueFd stop_signal_;
    std::atomic<bool> stopping_ = false;
};

// One thread's part of it.
class ThreadAcceptor {
 public:
    explicit ThreadAcceptor(const Acceptor& acceptor);

    // Waits for a connection (blocking); empty when there will be no more.
    [[nodiscard]] UniqueFd next() const;

 private:
    const Acceptor& acceptor_;
    UniqueFd waiting_;
};

}  // namespace clamscanner
