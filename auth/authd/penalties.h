// Counts wrong passwords and decides who must wait. Names that do not exist are counted exactly like those that do.
//
//   account and origin   login.account_failures in the window, then a penalty: nothing is looked at but the memory
//   origin               login.address_failures: the uncached path is closed to it
//   account, anywhere    five times login.account_failures: for origins from which it has not succeeded recently
//
// The same wrong password again is the same failure: whoever polls with an old password harms nobody at that address.
// Running checks count as failures until they end, so that parallel guessing gains nothing. Rows that say nothing any
// more are forgotten. The tables are bounded; the least recently used row is evicted first. That is no way out of a
// penalty: at most 16 times login.max_waiting failures fit into each login.failure_milliseconds, so evicting a row
// takes longer than waiting.
//
// A remembered password is compared while there is a penalty, too, so that its owner is not shut out by others'
// guessing at the same address. So that nobody can guess that way, a miss has a budget of its own, for each account and
// origin: 60 different ones within an hour close the memory there for an hour.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/base/config.h"
#include "auth/base/socket.h"

namespace clamscanner {

// The origin under which a login is counted: an IPv4 address, also when mapped into IPv6; of an IPv6 address its /64,
// because whoever has one address of it has them all. Anything that is not an address counts as one origin, "unknown".
// The address comes from the responder, so it may only tighten limits.
[[nodiscard]] std::string origin_of(const std::string& address);

// Tells the passwords of one account apart, and says nothing about them without the key of the credential cache. 0 is
// unlike any other.
using Fingerprint = std::uint64_t;

// Counts failures by one kind of key.
class FailureTable {
 public:
    struct Limit {
        std::size_t failures;
        std::chrono::seconds window;
        std::chrono::seconds penalty;
    };
    explicit FailureTable(const Limit& limit, std::size_t most_rows = 65'536) : limit_(limit), most_rows_(most_rows) {}

    // What was counted stays.
    void set_limit(const Limit& limit) { limit_ = limit; }

    // Seconds until a retry makes sense; 0 when there is no penalty.
    [[nodiscard]] std::uint32_t penalty(const std::string& key, Deadline now);
    void begin(const std::string& key) { ++row_of(key).under_way; }
    // True when this failure started a penalty.
    bool end(const std::string& key, bool failed, Deadline now, Fingerprint password = 0);
    // The same without a begin().
    bool fail(const std::string& key, Deadline now, Fingerprint password);
    // Whether this password failed within the last `age`.
    [[nodiscard]] bool failed_within(std::chrono::seconds age, const std::string& key, Fingerprint password,
                                     Deadline now) const;
    [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }

 private:
    static constexpr std::size_t least_sweep = 1024;  // rows
    struct Failure {
        Fingerprint password;
        Deadline at;
    };
    struct Row {
        std::vector<Failure> failures;  // the latest last, each password once
        std::size_t under_way = 0;
        Deadline penalised_until{};
        std::uint64_t touched = 0;
    };
    Row& row_of(const std::string& key);
    void make_room();
    void forget_old(Row& row, Deadline now) const;
    [[nodiscard]] bool says_nothing(const Row& row) const;

    Limit limit_;
    std::size_t most_rows_;
    std::uint64_t touches_ = 0;
    Deadline now_{};  // the latest that we were told
    std::size_t sweep_at_ = least_sweep;
    std::unordered_map<std::string, Row> rows_;
};

class Penalties {
 public:
    explicit Penalties(const Config& config);
    // The settings have changed.
    void take_limits(const Config& config);

    // Seconds until this account may be tried from this origin; 0: now. `succeeded_recently`: from this origin.
    [[nodiscard]] std::uint32_t on_account(const std::string& user, const std::string& origin, bool succeeded_recently,
                                           Deadline now);
    // Seconds until this origin may try anything that is not in the cache; 0: now.
    [[nodiscard]] std::uint32_t on_origin(const std::string& origin, Deadline now) {
        return origins_.penalty(origin, now);
    }

    // Call before and after each check of a password. Logs a penalty when it begins.
    void begin(const std::string& user, const std::string& origin);
    void end(const std::string& user, const std::string& origin, bool failed, Deadline now, Fingerprint password = 0);
    [[nodiscard]] bool failed_within(std::chrono::seconds age, const std::string& user, const std::string& origin,
                                     Fingerprint password, Deadline now) const;

    // Whether the remembered password may be compared in spite of a penalty; and that it was another one.
    [[nodiscard]] bool may_compare(const std::string& user, const std::string& origin, Deadline now);
    void miss(const std::string& user, const std::string& origin, Fingerprint password, Deadline now);

 private:
    FailureTable pairs_;
    FailureTable origins_;
    FailureTable accounts_;
    FailureTable misses_{{60, std::chrono::hours(1), std::chrono::hours(1)}};
};

}  // namespace clamscanner
