// authd and an agent behind it, as a test wants them: our own messages on real sockets.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "auth/checked.h"
#include "auth/messages.h"
#include "auth/socket.h"
#include "handlers/messages.h"

namespace clamscanner {

class FakeAuthd {
 public:
    // Both are called from several threads.
    using AnswerLogin = std::function<LoginAnswer(const Login&)>;
    using AnswerRequest = std::function<void(const Request&, int stream)>;

    FakeAuthd(const std::string& path, AnswerLogin answer_login, AnswerRequest answer_request)
        : answer_login_(std::move(answer_login)),
          answer_request_(std::move(answer_request)),
          listener_(listen_at(path, SOCK_SEQPACKET, 0666)),
          stop_(checked(::eventfd(0, EFD_CLOEXEC), "make a stop signal")),
          accepting_([this] { accept_until_stopped(); }) {}
    FakeAuthd(const FakeAuthd&) = delete;
    FakeAuthd& operator=(const FakeAuthd&) = delete;
    ~FakeAuthd() {
        ::eventfd_write(stop_.get(), 1);
        accepting_.join();
        for (auto& conversation : conversations_) conversation.join();
    }

    [[nodiscard]] int logins() const noexcept { return logins_; }

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
    void converse(int peer) {
        Packet packet;
        while (wait_for(peer) && receive_packet(peer, packet) == Got::Packet) {
            ++logins_;
            const auto answer = answer_login_(decode<Login>(packet.bytes));
            if (answer.verdict != LoginVerdict::Welcome) {
                static_cast<void>(send_message(peer, answer));
                continue;
            }
            auto [ours, theirs] = socket_pair(SOCK_STREAM);
            static_cast<void>(send_message(peer, answer, {theirs.get()}));
            theirs.reset();
            serve(ours.get());
        }
    }
    void serve(int stream) const {
        std::string frame;
        if (read_frame(stream, frame, longest_request_frame, Clock::now() + std::chrono::seconds(20)) == Transfer::Done)
            answer_request_(decode<Request>(frame), stream);
    }

    AnswerLogin answer_login_;
    AnswerRequest answer_request_;
    UniqueFd listener_;
    UniqueFd stop_;
    std::atomic<int> logins_ = 0;
    std::list<std::thread> conversations_;
    std::thread accepting_;
};

}  // namespace clamscanner
