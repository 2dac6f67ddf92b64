// jobd as a test wants it: our own frames on a real socket.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <functional>
#include <list>
#include <thread>

#include "auth/checked.h"
#include "auth/socket.h"
#include "jobs/messages.h"

namespace clamscanner {

class FakeJobd {
 public:
    // Gives the answer to a question; "" ends the conversation. Called from several threads.
    using Answer = std::function<std::string(std::string_view question)>;

    FakeJobd(const std::string& path, Answer answer)
        : answer_(std::move(answer)),
          listener_(listen_at(path, SOCK_STREAM, 0666)),
          stop_(checked(::eventfd(0, EFD_CLOEXEC), "make a stop signal")),
          accepting_([this] { accept_until_stopped(); }) {}
    FakeJobd(const FakeJobd&) = delete;
    FakeJobd& operator=(const FakeJobd&) = delete;
    ~FakeJobd() {
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
            conversations_.emplace_back([this, peer = accept_from(listener_.get(), 0)] { converse(peer.get()); });
    }
    void converse(int peer) const {
        const auto deadline = Clock::now() + std::chrono::minutes(1);
        std::string question;
        while (wait_for(peer) && read_frame(peer, question, longest_jobs_question, deadline) == Transfer::Done) {
            const auto answer = answer_(question);
            if (answer.empty() || write_frame(peer, answer, deadline) != Transfer::Done) return;
        }
    }

    Answer answer_;
    UniqueFd listener_;
    UniqueFd stop_;
    std::list<std::thread> conversations_;
    std::thread accepting_;
};

// A message as FakeJobd answers it.
template <class Message>
std::string said(Message message) {
    return std::string(encode(message).bytes());
}

}  // namespace clamscanner
