// Where the responder's threads get their connections from, until they are told that there will be no more.
#pragma once

#include <atomic>

#include "auth/base/unique_fd.h"
#include "fcgi/listener.h"

namespace clamscanner {

// Shared by all threads.
class Intake {
 public:
    explicit Intake(const Listener& listener);

    // From now on threads get nothing more, except who has connected already to a socket that nobody else serves.
    void stop();

 private:
    friend class IntakeSeat;
    const Listener& listener_;
    UniqueFd stop_signal_;
    std::atomic<bool> stopping_ = false;
};

// One thread's seat at it.
class IntakeSeat {
 public:
    explicit IntakeSeat(const Intake& intake);

    // Waits for a connection (blocking); empty when there will be no more.
    [[nodiscard]] UniqueFd next() const;

 private:
    const Intake& intake_;
    UniqueFd waiting_;
};

}  // namespace clamscanner
