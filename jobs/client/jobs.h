// What the functions ask of jobd. An interface, so that they can be tested without one; jobs_client.h is the real one.
#pragma once

#include <string>
#include <string_view>

#include "auth/base/wire.h"
#include "jobs/jobd/messages.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {

class Jobs {
 public:
    virtual ~Jobs() = default;

    // Waits for the answer. What jobd declines is thrown as a Refusal with its sentence; so is that jobd is not there.
    template <class Question>
    typename Question::Answer ask(const Question& question) {
        const auto answer = exchange(encode(question).bytes(), Question::effect);
        if (is<Declined>(answer)) throw Refusal(200, decode<Declined>(answer).why);
        return decode<typename Question::Answer>(answer);
    }

 protected:
    [[nodiscard]] virtual std::string exchange(std::string_view question, Effect effect) = 0;
};

}  // namespace clamscanner
