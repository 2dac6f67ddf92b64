#include "auth/authd/penalties.h"

#include <arpa/inet.h>

#include <algorithm>

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

bool FailureTable::end(const std::string& key, bool failed, Deadline now) {
    auto& row = row_of(key);
    if (row.under_way > 0) --row.under_way;
    if (!failed) return false;
    forget_old(row, now);
    row.failures.push_back(now);
    if (row.failures.size() < limit_.failures) return false;
    row.failures.clear();
    row.penalised_until = now + limit_.penalty;
    return true;
}

FailureTable::Row& FailureTable::row_of(const std::string& key) {
    if (rows_.size() >= most_rows_ && !rows_.contains(key))
        rows_.erase(std::min_element(rows_.begin(), rows_.end(), [](const auto& one, const auto& other) {
            return one.second.touched < other.second.touched;
        }));
    auto& row = rows_[key];
    row.touched = ++touches_;
    return row;
}

void FailureTable::forget_old(Row& row, Deadline now) const {
    const auto recent = std::find_if(row.failures.begin(), row.failures.end(),
                                     [&](Deadline failure) { return now - failure < limit_.window; });
    row.failures.erase(row.failures.begin(), recent);
}

Penalties::Penalties(const Config& config)
    : pairs_(limit_of(config, config.login.account_failures)),
      origins_(limit_of(config, config.login.address_failures)),
      accounts_(limit_of(config, 5 * config.login.account_failures)) {}

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

void Penalties::end(const std::string& user, const std::string& origin, bool failed, Deadline now) {
    // Names are not logged here: what was typed as a name may have been a password.
    if (pairs_.end(pair_key(user, origin), failed, now))
        log_line(Severity::Warning, "too many wrong passwords for one account from " + origin);
    if (origins_.end(origin, failed, now)) log_line(Severity::Warning, "too many wrong passwords from " + origin);
    if (accounts_.end(user, failed, now))
        log_line(Severity::Warning, "too many wrong passwords for one account, the last from " + origin);
}

}  // namespace clamscanner
