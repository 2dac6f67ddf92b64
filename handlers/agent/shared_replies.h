// Identical requests of one account that wait at the same moment share one reply: a panel open in many windows asks for
// the same status many times at once. No reply is older than its request.
#pragma once

#include <optional>
#include <utility>

#include "handlers/functions/router.h"
#include "handlers/shared/functions.h"

namespace clamscanner {

class SharedReplies {
 public:
    // Call when new requests have been read: they must not get an earlier reply.
    void forget() { last_.reset(); }

    [[nodiscard]] Reply answer(const Caller& caller, const Request& request) {
        if (last_ && last_->request == request) return last_->reply;
        forget();
        auto reply = answer_request(caller, request);
        if (only_reads(request) && reply.body.size() <= longest_shared) last_ = {request, reply};
        return reply;
    }

 private:
    static constexpr std::size_t longest_shared = 64 * 1024;  // a long one would be held twice

    [[nodiscard]] static bool only_reads(const Request& request) {
        const auto address = address_of(request.path);
        const auto* const function = find_function(address.module, address.function);
        return function != nullptr && function->only_reads;
    }

    struct Last {
        Request request;
        Reply reply;
    };
    std::optional<Last> last_{};
};

}  // namespace clamscanner
