#include "fcgi/unread_bodies.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr int look_milliseconds = 500;  // at the deadlines
constexpr auto finish_interval = std::chrono::milliseconds(20);
constexpr std::size_t chunk_size = 64 * 1024;

}  // namespace

UnreadBodies::UnreadBodies()
    : wake_up_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make a signal")),
      thread_([this] { discard_until_stopped(); }) {}

UnreadBodies::~UnreadBodies() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ::eventfd_write(wake_up_.get(), 1);
    thread_.join();
}

void UnreadBodies::take(UniqueFd connection, Deadline until) {
    ::shutdown(connection.get(), SHUT_WR);
    const std::lock_guard lock(mutex_);
    arrived_.push_back({std::move(connection), until});
    ++left_;
    ::eventfd_write(wake_up_.get(), 1);
}

void UnreadBodies::finish(Deadline deadline) {
    const auto is_done = [&] {
        const std::lock_guard lock(mutex_);
        return left_ == 0;
    };
    while (!is_done() && Clock::now() < deadline) std::this_thread::sleep_for(finish_interval);
}

void UnreadBodies::discard_until_stopped() {
    while (wait()) {
        take_over();
        std::erase_if(bodies_, [now = Clock::now()](Body& body) { return now >= body.until || !discard(body); });
        if (bodies_.size() > most) bodies_.erase(bodies_.begin(), bodies_.end() - most);
        const std::lock_guard lock(mutex_);
        left_ = arrived_.size() + bodies_.size();
    }
}

bool UnreadBodies::wait() {
    std::vector<pollfd> waiting{{wake_up_.get(), POLLIN, 0}};
    for (const auto& body : bodies_) waiting.push_back({body.connection.get(), POLLIN, 0});
    static_cast<void>(::poll(waiting.data(), waiting.size(), look_milliseconds));
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(wake_up_.get(), &count));
    const std::lock_guard lock(mutex_);
    return !stopping_;
}

void UnreadBodies::take_over() {
    const std::lock_guard lock(mutex_);
    std::ranges::move(arrived_, std::back_inserter(bodies_));
    arrived_.clear();
}

// False when it is over.
bool UnreadBodies::discard(Body& body) {
    std::array<char, chunk_size> chunk;
    const auto got = ::recv(body.connection.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    body.discarded += static_cast<std::size_t>(got);
    return got > 0 && body.discarded < most_bytes;
}

}  // namespace clamscanner
