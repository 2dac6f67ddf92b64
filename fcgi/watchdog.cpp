#include "fcgi/watchdog.h"

namespace clamscanner {

void Watch::begin(UniqueFd socket) {
    const std::lock_guard lock(mutex_);
    socket_ = std::move(socket);
    deadline_ = Deadline::max();
}

UniqueFd Watch::end() {
    const std::lock_guard lock(mutex_);
    return std::move(socket_);
}

void Watch::limit(Deadline deadline, int how) {
    const std::lock_guard lock(mutex_);
    deadline_ = deadline;
    how_ = how;
}

void Watch::check(Deadline now) {
    const std::lock_guard lock(mutex_);
    if (!socket_ || now < deadline_) return;
    ::shutdown(socket_.get(), how_);
    deadline_ = Deadline::max();
}

}  // namespace clamscanner
