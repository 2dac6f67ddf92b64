#include "fcgi/acceptor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "auth/base/checked.h"
#include "auth/base/socket.h"

namespace clamscanner {
namespace {

void watch(const UniqueFd& epoll, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    checked(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event), "wait for connections");
}

}  // namespace

Acceptor::Acceptor(const Listener& listener)
    : listener_(listener), stop_signal_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make a stop signal")) {}

void Acceptor::stop() {
    stopping_ = true;
    checked(::eventfd_write(stop_signal_.get(), 1), "tell the threads to stop");
}

ThreadAcceptor::ThreadAcceptor(const Acceptor& acceptor)
    : acceptor_(acceptor), waiting_(checked(::epoll_create1(EPOLL_CLOEXEC), "wait for connections")) {
    // Exclusive: a connection wakes one thread, not all of them.
    watch(waiting_, acceptor.listener_.get(), EPOLLIN | EPOLLEXCLUSIVE);
    watch(waiting_, acceptor.stop_signal_.get(), EPOLLIN);
}

UniqueFd ThreadAcceptor::next() const {
    for (;;) {
        // Wait before accepting: there are more threads than connections, and a failed accept costs the most.
        epoll_event event{};
        checked(uninterrupted([&] { return ::epoll_wait(waiting_.get(), &event, 1, -1); }), "wait for connections");
        const bool stopping = acceptor_.stopping_;
        if (!stopping || acceptor_.listener_.is_our_own()) {
            auto connection = accept_from(acceptor_.listener_.get(), 0);
            if (connection) return connection;
        }
        if (stopping) return {};
    }
}

}  // namespace clamscanner
