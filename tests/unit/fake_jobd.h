// Fakes jobd: exchanges our own frames on a real socket.
#pragma once

#include "jobs/jobd/messages.h"
#include "jobs/shared/frames.h"
#include "tests/unit/fake_daemon.h"

namespace clamscanner {

class FakeJobd {
 public:
    // Returns the answer to a question; "" closes the connection. Called from several threads.
    using Answer = std::function<std::string(std::string_view question)>;

    FakeJobd(const std::string& path, Answer answer)
        : answer_(std::move(answer)), daemon_(path, SOCK_STREAM, [this](int peer) { return converse(peer); }) {}

 private:
    [[nodiscard]] bool converse(int peer) const {
        const auto deadline = Clock::now() + std::chrono::seconds(20);
        std::string question;
        if (read_frame(peer, question, longest_jobs_question, deadline) != Transfer::Done) return false;
        const auto answer = answer_(question);
        return !answer.empty() && write_frame(peer, answer, deadline) == Transfer::Done;
    }

    Answer answer_;
    FakeDaemon daemon_;
};

// Encodes a message as an answer of FakeJobd.
template <class Message>
std::string encoded_reply(Message message) {
    return std::string(encode(message).bytes());
}

}  // namespace clamscanner
