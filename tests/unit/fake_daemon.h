// A daemon played by a test: accepts on a real socket, and serves each peer in a thread of its own.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <functional>
#include <list>
#include <string>
#include <thread>

#include "auth/base/checked.h"
#include "auth/base/socket.h"

namespace clamscanner {

class FakeDaemon {
 public:
    // Called when bytes have arrived from `peer` (blocking), from several threads. False closes the connection.
    using Answer = std::function<bool(int peer)>;

    FakeDaemon(const std::string& path, int type, Answer answer)
        : answer_(std::move(answer)),
          listener_(listen_at(path, type, 0666)),
          stop_(checked(::eventfd(0, EFD_CLOEXEC), "make a stop signal")),
          accepting_([this] { accept_until_stopped(); }) {
        ::signal(SIGPIPE, SIG_IGN);
    }
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;
    ~FakeDaemon() {
        ::eventfd_write(stop_.get(), 1);
        accepting_.join();
        for (auto& conversation : conversations_) conversation.join();
    }

 private:
    // False when it is to stop.
    [[nodiscard]] bool wait_for(int fd) const {
        pollfd waiting[] = {{fd, POLLIN, 0}, {stop_.get(), POLLIN, 0}};
        while (::poll(waiting, 2, -1) < 0) {
        }
        return waiting[1].revents == 0;
    }
    void accept_until_stopped() {
        while (wait_for(listener_.get()))
            conversations_.emplace_back([this, peer = accept_from(listener_.get())] {
                set_blocking(peer.get(), true);
                while (wait_for(peer.get()) && answer_(peer.get())) {
                }
            });
    }

    Answer answer_;
    UniqueFd listener_;
    UniqueFd stop_;
    std::list<std::thread> conversations_;
    std::thread accepting_;
};

}  // namespace clamscanner
