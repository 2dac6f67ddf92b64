// Counts wrong passwords and says who must wait. A name that does not exist is counted exactly as one that does.
//
//   account and origin   login.account_failures in the window, then a penalty: nothing is looked at, not even the cache
//   origin               login.address_failures: the uncached path is closed to it
//   account, wherever    five times login.account_failures: binds origins from which the account did not succeed lately
//
// Checks that are under way count as failures until they end, so that guessing in parallel gains nothing. The tables
// are bounded, the least recently touched row goes first. That is no way out of a penalty: failures are made no faster
// than login.max_waiting in each login.failure_milliseconds, so pushing a row out takes far longer than sitting it out.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "auth/base/config.h"
#include "auth/base/socket.h"

namespace clamscanner {

// Where a login comes from, as far as counting goes: an IPv4 address, also when mapped into IPv6; of an IPv6 address
// its /64, because whoever has one address of it has them all. Whatever is no address has one origin together,
// "unknown". The address is the responder's word: it can only tighten limits.
[[nodiscard]] std::string origin_of(const std::string& address);

// Failures of one kind of key.
class FailureTable {
 public:
    struct Limit {
        std::size_t failures;
        std::chrono::seconds window;
        std::chrono::seconds penalty;
    };
    explicit FailureTable(const Limit& limit, std::size_t most_rows = 65'536) : limit_(limit), most_rows_(most_rows) {}

    // Seconds until it is worth coming back; 0 when there is no penalty.
    [[nodiscard]] std::uint32_t penalty(const std::string& key, Deadline now);
    void begin(const std::string& key) { ++row_of(key).under_way; }
    // True when this failure brought the penalty on.
    bool end(const std::string& key, bool failed, Deadline now);

 private:
    struct Row {
        std::vector<Deadline> failures;
        std::size_t under_way = 0;
        Deadline penalised_until{};
        std::uint64_t touched = 0;
    };
    Row& row_of(const std::string& key);
    void forget_old(Row& row, Deadline now) const;

    Limit limit_;
    std::size_t most_rows_;
    std::uint64_t touches_ = 0;
    std::unordered_map<std::string, Row> rows_;
};

class Penalties {
 public:
    explicit Penalties(const Config& config);

    // Whether this account may be tried from this origin at all. `lately`: it succeeded from there of late.
    [[nodiscard]] std::uint32_t on_account(const std::string& user, const std::string& origin, bool lately,
                                           Deadline now);
    // Whether this origin may try anything that is not in the cache.
    [[nodiscard]] std::uint32_t on_origin(const std::string& origin, Deadline now) {
        return origins_.penalty(origin, now);
    }

    // Around each check of a password. The log hears of a penalty when it begins.
    void begin(const std::string& user, const std::string& origin);
    void end(const std::string& user, const std::string& origin, bool failed, Deadline now);

 private:
    FailureTable pairs_;
    FailureTable origins_;
    FailureTable accounts_;
};

}  // namespace clamscanner
