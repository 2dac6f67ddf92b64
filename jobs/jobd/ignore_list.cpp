#include "jobs/jobd/ignore_list.h"

#include "jobs/shared/paths.h"

namespace clamscanner {
namespace {

// Of the way to match: in the worst case the product of both lengths.
constexpr std::size_t longest_matched_path = 4096;
constexpr std::int64_t most_for_all = 1000;
constexpr std::int64_t rows_at_once = 200;

#define IN_FORCE "state < 2 AND (expires_ms = 0 OR expires_ms > ?)"

}  // namespace

bool fits(std::string_view relative, std::string_view pattern) {
    if (relative.size() > longest_matched_path) return false;
    std::size_t at = 0;
    std::size_t in_pattern = 0;
    std::size_t after_star = std::string_view::npos;  // in the pattern: behind the last star that was met
    std::size_t star_until = 0;                       // what that one covers ends here
    while (at < relative.size()) {
        const bool more = in_pattern < pattern.size();
        if (more && pattern[in_pattern] == '*') {
            after_star = ++in_pattern;
            star_until = at;
        } else if (more && (pattern[in_pattern] == '?' || pattern[in_pattern] == relative[at])) {
            ++in_pattern;
            ++at;
        } else if (after_star != std::string_view::npos) {
            in_pattern = after_star;
            at = ++star_until;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', in_pattern) == std::string_view::npos;
}

std::optional<IgnoreList::RowId> IgnoreList::find(AccountId account, const std::string& virus,
                                                  const std::string& sha256) {
    return statement<
               "SELECT id FROM ignored WHERE account = ? AND virus = ? AND sha256 = ? AND pattern = x'' "
               "AND " IN_FORCE>()
        .number(account, virus, sha256, now_ms());
}

std::optional<IgnoreList::RowId> IgnoreList::find_pattern(const std::string& virus, std::string_view relative) {
    std::optional<RowId> found;
    statement<
        "SELECT id, pattern FROM ignored WHERE account = 0 AND virus = ? AND sha256 = x'' AND pattern > x'' "
        "AND " IN_FORCE>()
        .each(
            [&](Row row) {
                if (fits(relative, row.bytes(1))) found = row.number(0);
                return !found;
            },
            virus, now_ms());
    return found;
}

std::optional<IgnoreList::RowId> IgnoreList::row_for(AccountId account, const std::string& home,
                                                     const FoundContent& found) {
    const std::string any;
    if (found.sha256.empty() || found.virus.empty()) return std::nullopt;
    if (const auto own = find(account, found.virus, found.sha256)) return own;
    if (const auto of_both = find(0, found.virus, found.sha256)) return of_both;
    if (const auto of_content = find(0, any, found.sha256)) return of_content;
    if (const auto of_signature = find(0, found.virus, any)) return of_signature;
    if (!is_below(found.path, home)) return std::nullopt;
    return find_pattern(found.virus, std::string_view(found.path).substr(path_in(home, "/").size() - 1));
}

#define ADD_ROW                                                                                                   \
    "INSERT INTO ignored(account, virus, sha256, pattern, path, reason, asked_by, which, address, created_ms, "   \
    "expires_ms, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "                                              \
    "ON CONFLICT(account, virus, sha256, pattern) DO UPDATE SET path = excluded.path, reason = excluded.reason, " \
    "asked_by = excluded.asked_by, which = excluded.which, address = excluded.address, "                          \
    "created_ms = excluded.created_ms, expires_ms = excluded.expires_ms, state = excluded.state RETURNING id"

std::optional<IgnoreList::RowId> IgnoreList::add(AccountId account, const FoundContent& found,
                                                 const Ignoring& ignoring) {
    const auto own = statement<"SELECT ignored FROM account WHERE id = ?">().number(account).value_or(0);
    if (own >= static_cast<std::int64_t>(most_ignored_per_account) && !find(account, found.virus, found.sha256))
        return std::nullopt;
    database_.write();
    constexpr int is_new = 1;
    return statement<ADD_ROW>().number(account, found.virus, found.sha256, std::string(), found.path, ignoring.reason,
                                       ignoring.asker.by, ignoring.asker.which, ignoring.asker.from, now_ms(),
                                       ignoring.expires_ms, is_new);
}

namespace {

FoundContent read_content(const Row& row) {
    return {row.bytes(0), row.bytes(1), row.bytes(2)};
}

}  // namespace

std::optional<FoundContent> IgnoreList::end(AccountId account, RowId row) {
    database_.write();
    return statement<
               "UPDATE ignored SET state = 2 WHERE id = ? AND account = ? AND state < 2 "
               "RETURNING path, virus, sha256">()
        .first(read_content, row, account);
}

bool IgnoreList::is_administrators(RowId row) {
    return statement<"SELECT 1 FROM ignored WHERE id = ? AND account = 0 AND state < 2">().number(row).has_value();
}

bool IgnoreList::add_for_all(const IgnoredEverywhere& what, const Ignoring& ignoring) {
    const auto rows =
        statement<"SELECT count(*) FROM ignored INDEXED BY ignored_of_account WHERE account = 0">().number();
    if (rows.value_or(0) >= most_for_all) return false;
    database_.write();
    constexpr int is_in_force = 0;  // from the next find on
    constexpr int of_all = 0;
    static_cast<void>(statement<ADD_ROW>().number(of_all, what.virus, what.sha256, what.pattern, std::string(),
                                                  ignoring.reason, ignoring.asker.by, ignoring.asker.which,
                                                  ignoring.asker.from, now_ms(), ignoring.expires_ms, is_in_force));
    return true;
}

std::vector<IgnoredEverywhere> IgnoreList::for_all() {
    std::vector<IgnoredEverywhere> rows;
    statement<
        "SELECT id, virus, sha256, pattern, reason, created_ms, expires_ms FROM ignored INDEXED BY ignored_of_account "
        "WHERE account = 0 AND state < 2 ORDER BY id">()
        .each([&](Row row) {
            IgnoredEverywhere one;
            Cursor(row).into(one.id, one.virus, one.sha256, one.pattern, one.reason, one.created_ms, one.expires_ms);
            rows.push_back(std::move(one));
            return true;
        });
    return rows;
}

bool IgnoreList::tell(AccountId account, RowId row, bool ended) {
    database_.write();
    statement<
        "INSERT INTO ignoring_told(row, account, ended) SELECT id, ?1, ?2 FROM ignored WHERE id = ?3 AND account = 0 "
        "ON CONFLICT(row, account) DO UPDATE SET ended = excluded.ended WHERE ended <> excluded.ended">()
        .run(account, ended, row);
    return database_.changed_rows() > 0;
}

Ignoring IgnoreList::ignoring_of(RowId row) {
    Ignoring ignoring;
    statement<"SELECT reason, expires_ms FROM ignored WHERE id = ?">().each(
        [&](Row found) {
            Cursor(found).into(ignoring.reason, ignoring.expires_ms);
            return false;
        },
        row);
    return ignoring;
}

std::optional<IgnoreList::Expired> IgnoreList::end_expired() {
    const auto expired = statement<
                             "SELECT id, account FROM ignored INDEXED BY ignored_for_a_time "
                             "WHERE expires_ms > 0 AND state < 2 AND expires_ms <= ? LIMIT 1">()
                             .first([](Row row) { return std::pair(row.number(0), row.number(1)); }, now_ms());
    if (!expired) return std::nullopt;
    const auto [row, account] = *expired;
    return Expired{account, end(account, row).value_or(FoundContent())};
}

std::optional<IgnoreList::Unsettled> IgnoreList::next_unsettled() {
    return statement<
               "SELECT id, state = 2, expires_ms BETWEEN 1 AND ?, account, virus, sha256 FROM ignored "
               "INDEXED BY ignored_to_settle WHERE state > 0 ORDER BY id LIMIT 1">()
        .first(
            [](Row row) {
                Unsettled unsettled;
                Cursor(row).into(unsettled.row, unsettled.ended, unsettled.expired, unsettled.account, unsettled.virus,
                                 unsettled.sha256);
                return unsettled;
            },
            now_ms());
}

void IgnoreList::settle(const Unsettled& row) {
    database_.write();
    if (!row.ended) {
        statement<"UPDATE ignored SET state = 0 WHERE id = ? AND state = 1">().run(row.row);
        return;
    }
    statement<
        "DELETE FROM ignoring_told WHERE row = ?1 AND account IN "
        "(SELECT account FROM ignoring_told WHERE row = ?1 LIMIT ?2)">()
        .run(row.row, rows_at_once);
    if (database_.changed_rows() > 0) return;
    statement<"DELETE FROM ignored WHERE id = ? AND state = 2">().run(row.row);
}

}  // namespace clamscanner
