// The origins from which each account logged in successfully of late, and when PAM was last asked there whether the
// account is open. Such a pair of account and origin is exempt from the limits that strangers can exhaust, and has
// check slots of its own, so nobody can lock an owner out by guessing.
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
        row_of(account, origin, now, generation).success = now;
    }
    // PAM said, by these rules (their number), that the account is open.
    void note_open(const std::string& account, const std::string& origin, Deadline now, const std::string& generation,
                   std::size_t rules) {
        row_of(account, origin, now, generation) = {now, now, rules};
    }
    [[nodiscard]] bool was_open_within(std::chrono::seconds age, const std::string& account, const std::string& origin,
                                       Deadline now, std::size_t rules) const {
        const auto* found = find(account, origin);
        return found != nullptr && found->open != Deadline{} && now - found->open < age && found->rules == rules;
    }
    [[nodiscard]] bool includes(const std::string& account, const std::string& origin, Deadline now) const {
        const auto* found = find(account, origin);
        return found != nullptr && now - found->success < remembered_for;
    }

 private:
    struct Pair {
        Deadline success;
        Deadline open;  // 0: not yet
        std::size_t rules = 0;
        bool operator<(const Pair& other) const { return success < other.success; }
    };
    Pair& row_of(const std::string& account, const std::string& origin, Deadline now, const std::string& generation) {
        if (rows_.size() >= most_accounts && !rows_.contains(account)) erase_oldest(rows_);
        auto& row = rows_[account];
        if (row.generation != generation) row = {{}, generation, now};
        if (row.origins.size() >= most_origins && !row.origins.contains(origin)) erase_oldest(row.origins);
        row.at = now;
        return row.origins[origin];
    }
    [[nodiscard]] const Pair* find(const std::string& account, const std::string& origin) const {
        const auto row = rows_.find(account);
        if (row == rows_.end()) return nullptr;
        const auto pair = row->second.origins.find(origin);
        return pair != row->second.origins.end() ? &pair->second : nullptr;
    }
    struct Row {
        std::unordered_map<std::string, Pair> origins;
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
