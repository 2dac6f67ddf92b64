// How far a scan has got in its list: verdicts come in any order, but a scan that is interrupted goes on at one place.
// Kept by the coordinator.
#pragma once

#include <cstdint>
#include <deque>

#include "jobs/engine/messages.h"

namespace clamscanner {

class SettledPrefix {
 public:
    struct Verdict {
        bool clean = false;
        bool known = false;  // clean, and not read
        std::uint64_t bytes = 0;
    };
    // To be called after the verdict was sent: jobd stores the settled place together with the finds before it.
    void settle(std::uint64_t place, const Verdict& verdict);

    [[nodiscard]] const Settled& settled() const noexcept { return settled_; }
    // How many places after the settled ones have their verdict.
    [[nodiscard]] std::size_t out_of_order() const noexcept { return verdicts_out_of_order_; }

 private:
    struct BufferedVerdict {
        bool settled = false;
        Verdict verdict;
    };
    Settled settled_;
    std::deque<BufferedVerdict> out_of_order_;  // by the place after the settled ones
    std::size_t verdicts_out_of_order_ = 0;
};

}  // namespace clamscanner
