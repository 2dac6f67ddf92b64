// The origins from which each account logged in successfully of late. Such a pair of account and origin is exempt from
// the limits that strangers can exhaust, and has check slots of its own, so nobody can lock an owner out by guessing.
//
// No account can push out another's pairs: only a right password makes a row, so there are at most as many rows as
// accounts, and an account with many addresses fills only its own row.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>

#include "auth/base/socket.h"

namespace clamscanner {

class RecentSuccesses {
 public:
    static constexpr std::chrono::hours remembered_for{24};
    static constexpr std::size_t most_origins = 32;  // per account
    static constexpr std::size_t most_accounts = 65'536;

    // The first success of a new owner of the name discards the former owner's row.
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
        return success != row->second.origins.end() && now - success->second < remembered_for;
    }

 private:
    struct Row {
        std::unordered_map<std::string, Deadline> origins;
        std::string generation;
        Deadline at;  // of the latest success
        bool operator<(const Row& other) const { return at < other.at; }
    };
    static void erase_oldest(auto& rows) {
        rows.erase(std::min_element(rows.begin(), rows.end(),
                                    [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    std::unordered_map<std::string, Row> rows_;
};

}  // namespace clamscanner
