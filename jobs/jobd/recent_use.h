// How much of the scanner's time each customer used recently, with a half-life of one hour. A customer is an account,
// or the administrator's scan of all accounts.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "auth/base/event_loop.h"

namespace clamscanner {

class RecentUse {
 public:
    using Customer = std::int64_t;
    // The lower rank comes first: less use, in steps of ten seconds; at equal use, the longer time since the last
    // start.
    using Rank = std::pair<std::int64_t, std::uint64_t>;

    void start(Customer customer) { uses_[customer].started = ++starts_; }

    void add(Customer customer, Clock::duration used, Deadline now) {
        if (uses_.size() > most_customers) forget_negligible(now);
        auto& use = uses_[customer];
        use.seconds = seconds_left(use, now) + std::chrono::duration<double>(used).count();
        use.at = now;
    }

    [[nodiscard]] Rank rank(Customer customer, Deadline now) const {
        const auto found = uses_.find(customer);
        if (found == uses_.end()) return {0, 0};
        constexpr double step = 10;
        return {static_cast<std::int64_t>(seconds_left(found->second, now) / step), found->second.started};
    }

 private:
    struct Use {
        double seconds = 0;
        Deadline at;
        std::uint64_t started = 0;
    };
    static constexpr std::size_t most_customers = 10'000;

    [[nodiscard]] static double seconds_left(const Use& use, Deadline now) {
        return use.seconds * std::exp2(-std::chrono::duration<double, std::ratio<3600>>(now - use.at).count());
    }
    void forget_negligible(Deadline now) {
        std::erase_if(uses_, [now](const auto& entry) { return seconds_left(entry.second, now) < 1; });
    }

    std::map<Customer, Use> uses_;
    std::uint64_t starts_ = 0;
};

}  // namespace clamscanner
