// authd and an agent, played by a test: our own messages on real sockets.
#pragma once

#include <atomic>

#include "auth/authd/messages.h"
#include "auth/base/request_pipes.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/frames.h"
#include "tests/unit/fake_daemon.h"

namespace clamscanner {

class FakeAuthd {
 public:
    // Both are called from several threads.
    using AnswerLogin = std::function<LoginAnswer(const Login&)>;
    using AnswerRequest = std::function<void(const Request&, int reply)>;

    FakeAuthd(const std::string& path, AnswerLogin answer_login, AnswerRequest answer_request)
        : answer_login_(std::move(answer_login)),
          answer_request_(std::move(answer_request)),
          daemon_(path, SOCK_SEQPACKET, [this](int peer) { return converse(peer); }) {}

    [[nodiscard]] int logins() const noexcept { return logins_; }
    // For those that came without pipes, once the body was there.
    [[nodiscard]] int agents_opened() const noexcept { return agents_opened_; }

 private:
    [[nodiscard]] bool converse(int peer) {
        Packet packet;
        if (receive_packet(peer, packet) != Got::Packet) return false;
        if (type_of(packet.bytes) == static_cast<std::uint16_t>(OpenAgent::type)) {
            ++agents_opened_;
            serve(take_pipes(packet));
            return true;
        }
        ++logins_;
        const auto answer = answer_login_(decode<Login>(packet.bytes));
        if (packet.descriptors.empty()) return send_message(peer, answer) == Sent::Yes;
        const auto pipes = take_pipes(packet);
        if (answer.verdict != LoginVerdict::Welcome) return send_message(peer, answer) == Sent::Yes;
        serve(pipes);
        return true;
    }
    void serve(const RequestPipes& pipes) const {
        std::string frame;
        const auto deadline = Clock::now() + std::chrono::seconds(20);
        if (read_frame(pipes.request.get(), frame, longest_request_frame, deadline) == Transfer::Done)
            answer_request_(decode<Request>(frame), pipes.reply.get());
    }

    AnswerLogin answer_login_;
    AnswerRequest answer_request_;
    std::atomic<int> logins_ = 0;
    std::atomic<int> agents_opened_ = 0;
    FakeDaemon daemon_;
};

}  // namespace clamscanner
