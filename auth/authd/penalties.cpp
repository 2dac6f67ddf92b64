#include "auth/authd/penalties.h"

#include <arpa/inet.h>

#include <algorithm>

#include "auth/base/figures.h"
#include "auth/base/log.h"
#include "auth/base/random.h"

namespace clamscanner {
namespace {

// No origin has a NUL, and no name that is counted has one either (login_desk.cpp refuses it): the key is unambiguous.
std::string pair_key(const std::string& user, const std::string& origin) {
    return user + '\0' + origin;
}

FailureTable::Limit limit_of(const Config& config, std::uint64_t failures) {
    return {failures, std::chrono::seconds(config.login.window_seconds),
            std::chrono::seconds(config.login.penalty_seconds)};
}

}  // namespace

std::string origin_of(const std::string& address) {
    if (address.find('\0') != std::string::npos) return "unknown";
    in_addr ipv4{};
    if (::inet_pton(AF_INET, address.c_str(), &ipv4) == 1) return address;  // inet_pton takes the canonical form only
    in6_addr ipv6{};
    if (::inet_pton(AF_INET6, address.c_str(), &ipv6) != 1) return "unknown";
    if (!IN6_IS_ADDR_V4MAPPED(&ipv6)) return hex(ipv6.s6_addr, 8) + "/64";
    char text[INET_ADDRSTRLEN] = {};
    return ::inet_ntop(AF_INET, ipv6.s6_addr + 12, text, sizeof text);
}

std::uint32_t FailureTable::penalty(const std::string& key, Deadline now) {
    now_ = now;
    const auto found = rows_.find(key);
    if (found == rows_.end()) return 0;
    auto& row = found->second;
    if (row.penalised_until > now) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(row.penalised_until - now);
        return static_cast<std::uint32_t>(left.count());
    }
    forget_old(row, now);
    return row.failures.size() + row.under_way >= limit_.failures ? 1 : 0;
}

bool FailureTable::end(const std::string& key, bool failed, Deadline now, Fingerprint password) {
    const auto found = rows_.find(key);
    if (found != rows_.end() && found->second.under_way > 0) --found->second.under_way;
    return failed && fail(key, now, password);
}

bool FailureTable::fail(const std::string& key, Deadline now, Fingerprint password) {
    now_ = now;
    auto& row = row_of(key);
    forget_old(row, now);
    if (password != 0)
        std::erase_if(row.failures, [&](const Failure& failure) { return failure.password == password; });
    row.failures.push_back({password, now});
    if (row.failures.size() < limit_.failures) return false;
    row.failures = {};
    row.penalised_until = now + limit_.penalty;
    return true;
}

bool FailureTable::failed_within(std::chrono::seconds age, const std::string& key, Fingerprint password,
                                 Deadline now) const {
    const auto found = rows_.find(key);
    return found != rows_.end() && std::ranges::any_of(found->second.failures, [&](const Failure& failure) {
               return failure.password == password && now - failure.at < age;
           });
}

FailureTable::Row& FailureTable::row_of(const std::string& key) {
    if (!rows_.contains(key)) make_room();
    auto& row = rows_[key];
    row.touched = ++touches_;
    return row;
}

// Looks at all rows only when there are twice as many as the last look left.
void FailureTable::make_room() {
    if (rows_.size() < std::min(sweep_at_, most_rows_)) return;
    std::erase_if(rows_, [&](const auto& row) { return says_nothing(row.second); });
    sweep_at_ = std::max(least_sweep, 2 * rows_.size());
    if (rows_.size() < most_rows_) return;
    rows_.erase(std::min_element(rows_.begin(), rows_.end(), [](const auto& one, const auto& other) {
        return one.second.touched < other.second.touched;
    }));
}

void FailureTable::forget_old(Row& row, Deadline now) const {
    const auto recent = std::find_if(row.failures.begin(), row.failures.end(),
                                     [&](const Failure& failure) { return now - failure.at < limit_.window; });
    row.failures.erase(row.failures.begin(), recent);
}

bool FailureTable::says_nothing(const Row& row) const {
    return row.under_way == 0 && row.penalised_until <= now_ &&
           (row.failures.empty() || now_ - row.failures.back().at >= limit_.window);
}

Penalties::Penalties(const Config& config)
    : pairs_(limit_of(config, config.login.account_failures)),
      origins_(limit_of(config, config.login.address_failures)),
      accounts_(limit_of(config, 5 * config.login.account_failures)) {}

void Penalties::take_limits(const Config& config) {
    pairs_.set_limit(limit_of(config, config.login.account_failures));
    origins_.set_limit(limit_of(config, config.login.address_failures));
    accounts_.set_limit(limit_of(config, 5 * config.login.account_failures));
}

std::uint32_t Penalties::on_account(const std::string& user, const std::string& origin, bool succeeded_recently,
                                    Deadline now) {
    const auto of_pair = pairs_.penalty(pair_key(user, origin), now);
    return succeeded_recently ? of_pair : std::max(of_pair, accounts_.penalty(user, now));
}

void Penalties::begin(const std::string& user, const std::string& origin) {
    pairs_.begin(pair_key(user, origin));
    origins_.begin(origin);
    accounts_.begin(user);
}

void Penalties::end(const std::string& user, const std::string& origin, bool failed, Deadline now,
                    Fingerprint password) {
    // Names are not logged here: what was typed as a name may have been a password.
    const auto begun = [](const char* of, const std::string& why) {
        log_line(Severity::Warning, why);
        count(std::string("clamscanner_penalties_total{of=\"") + of + "\"}");
    };
    if (pairs_.end(pair_key(user, origin), failed, now, password))
        begun("account and address", "too many wrong passwords for one account from " + origin);
    if (origins_.end(origin, failed, now, password)) begun("address", "too many wrong passwords from " + origin);
    if (accounts_.end(user, failed, now, password))
        begun("account", "too many wrong passwords for one account, the last from " + origin);
}

bool Penalties::failed_within(std::chrono::seconds age, const std::string& user, const std::string& origin,
                              Fingerprint password, Deadline now) const {
    return pairs_.failed_within(age, pair_key(user, origin), password, now);
}

bool Penalties::may_compare(const std::string& user, const std::string& origin, Deadline now) {
    return misses_.penalty(pair_key(user, origin), now) == 0;
}

void Penalties::miss(const std::string& user, const std::string& origin, Fingerprint password, Deadline now) {
    if (misses_.fail(pair_key(user, origin), now, password))
        log_line(Severity::Warning, "too many wrong passwords during a penalty for one account from " + origin);
}

}  // namespace clamscanner
