// Logins of one class that wait for a check, or for the answer to a failure. Each that sends them (an origin; of the
// known ones, an account at an origin) has its turn after each other, however many each of them sent.
//
// Whoever has many in line is refused for the sake of those who have few, never the other way round. All are bounded:
// `most_each` places of one sender, 16 times as many of all, and 4 times as many checks that wait. A place is held
// until the answer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "auth/base/socket.h"

namespace clamscanner {

template <class Key>
class WaitingLogins {
 public:
    // `step`: how long a check may keep the next one waiting.
    WaitingLogins(std::size_t most_each, std::chrono::milliseconds step) : most_each_(most_each), step_(step) {}

    // Seconds until the sender may have another place; 0: now.
    [[nodiscard]] std::uint32_t until_place(const std::string& sender, Deadline now) const {
        if (places_ >= 16 * most_each_) return 1;
        const auto own = senders_.find(sender);
        return own != senders_.end() && own->second.places >= most_each_ ? seconds(own->second.done_by - now) : 0;
    }

    // Whether one more check may wait. If not, `instead` is set when another one should be refused for it.
    [[nodiscard]] bool may_wait(const std::string& sender, std::optional<Key>& instead) const {
        if (waiting_ < 4 * most_each_) return true;
        const auto most =
            std::ranges::max_element(senders_, {}, [](const auto& row) { return row.second.queue.size(); });
        const auto own = senders_.find(sender);
        const auto owns = own != senders_.end() ? own->second.queue.size() : 0;
        if (most->second.queue.size() > owns + 1) instead = most->second.queue.back();
        return false;
    }
    // Seconds after which all that wait now have been checked.
    [[nodiscard]] std::uint32_t until_checked() const { return seconds(step_ * static_cast<int>(waiting_)); }

    // When a check that comes now is certainly over, if each takes no longer than its step. Depends on nothing but who
    // sent when and has no answer yet.
    [[nodiscard]] Deadline done_by(const std::string& sender, Deadline now) {
        auto& own = senders_[sender];
        return own.done_by = std::max(own.done_by, now) + step_ * static_cast<int>(senders_.size());
    }

    void take_place(const std::string& sender) {
        ++places_;
        ++senders_[sender].places;
    }
    void give_place_back(const std::string& sender) {
        --places_;
        if (const auto own = senders_.find(sender); --own->second.places == 0) senders_.erase(own);
    }

    // Call it while the sender has a place.
    void wait(const std::string& sender, const Key& key, bool is_next) {
        auto& queue = senders_.at(sender).queue;
        if (is_next) std::erase(order_, sender);
        if (is_next || queue.empty()) order_.insert(is_next ? order_.begin() : order_.end(), sender);
        queue.insert(is_next ? queue.begin() : queue.end(), key);
        ++waiting_;
    }
    [[nodiscard]] bool has_next() const noexcept { return waiting_ != 0; }
    [[nodiscard]] Key take_next() {
        const auto sender = order_.front();
        order_.pop_front();
        auto& queue = senders_.at(sender).queue;
        const auto key = queue.front();
        queue.pop_front();
        if (!queue.empty()) order_.push_back(sender);
        --waiting_;
        return key;
    }
    // The one that may_wait() named.
    void take_away(const std::string& sender) {
        auto& queue = senders_.at(sender).queue;
        queue.pop_back();
        if (queue.empty()) std::erase(order_, sender);
        --waiting_;
    }

 private:
    struct Sender {
        std::deque<Key> queue;
        std::size_t places = 0;
        Deadline done_by{};
    };
    static std::uint32_t seconds(auto time) {
        return static_cast<std::uint32_t>(
            std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count()));
    }

    std::size_t most_each_;
    std::chrono::milliseconds step_;
    std::map<std::string, Sender> senders_;  // with a place
    std::deque<std::string> order_;          // of those whose logins wait for a check
    std::size_t places_ = 0;
    std::size_t waiting_ = 0;
};

}  // namespace clamscanner
