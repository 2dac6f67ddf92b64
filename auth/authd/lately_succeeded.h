// From which origins each account's password was right of late. Such a pair is not bound by limits that strangers
// exhaust, and has slots of its own: so nobody locks an owner out by guessing.
//
// Nobody can push another's pair out: rows are made by right passwords only and stand for real account names, so their
// number is that of the accounts; and an account that comes from many addresses fills its own row only.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>

#include "auth/base/socket.h"

namespace clamscanner {

class LatelySucceeded {
 public:
    static constexpr std::chrono::hours lately{24};
    static constexpr std::size_t most_origins = 32;  // an account
    static constexpr std::size_t most_accounts = 65'536;

    // With the first success of another owner of the name, what the old one did counts no more.
    void note(const std::string& account, const std::string& origin, Deadline now, const std::string& generation = {}) {
        if (rows_.size() >= most_accounts && !rows_.contains(account)) erase_oldest(rows_);
        auto& row = rows_[account];
        if (row.generation != generation) row = {{}, generation, now};
        if (row.origins.size() >= most_origins && !row.origins.contains(origin)) erase_oldest(row.origins);
        row.at = row.origins[origin] = now;
    }
    [[nodiscard]] bool includes(const std::string& account, const std::string& origin, Deadline now) const {
        const auto row = rows_.find(account);
        if (row == rows_.end()) return false;
        const auto success = row->second.origins.find(origin);
        return success != row->second.origins.end() && now - success->second < lately;
    }

 private:
    struct Row {
        std::unordered_map<std::string, Deadline> origins;
        std::string generation;
        Deadline at;  // of the latest
        bool operator<(const Row& other) const { return at < other.at; }
    };
    static void erase_oldest(auto& rows) {
        rows.erase(std::min_element(rows.begin(), rows.end(),
                                    [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    std::unordered_map<std::string, Row> rows_;
};

}  // namespace clamscanner
