// Sends the questions of the API's functions to jobd. An interface, so that they can be tested without jobd;
// jobs_client.h implements it.
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

    // Waits for the answer. Throws a Refusal with jobd's sentence if jobd declines, or with one of ours if jobd cannot
    // be reached.
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
