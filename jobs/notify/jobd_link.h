// notifyd's connection to jobd, opened anew when it broke. It waits for answers, which come within one round of jobd's
// loop, for a few seconds at most.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/base/socket.h"
#include "jobs/jobd/messages.h"

namespace clamscanner {

class JobdLink {
 public:
    explicit JobdLink(std::string socket_path) : socket_path_(std::move(socket_path)) {}

    // Empty if jobd does not answer; the log says so once. A question may be asked again.
    template <class Question>
    [[nodiscard]] std::optional<typename Question::Answer> ask(Question question) {
        const auto answer = exchange(encode(question).bytes());
        if (!answer) return std::nullopt;
        try {
            return decode<typename Question::Answer>(*answer);
        } catch (const Malformed& fault) {
            fail(fault.what());
            return std::nullopt;
        }
    }

 private:
    [[nodiscard]] std::optional<std::string> exchange(std::string_view question);
    [[nodiscard]] std::optional<std::string> try_exchange(std::string_view question, bool is_fresh);
    void fail(const std::string& problem);
    void note(const std::string& problem);

    std::string socket_path_;
    UniqueFd connection_;
    std::string problem_;  // that the log has said; "" while all is well
};

}  // namespace clamscanner
