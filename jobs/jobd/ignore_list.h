// What owners and the administrator have said is fine although it is found. An owner's row binds to content and
// signature, never to a path: the same content is ignored wherever it lies in the account, and another content, or
// another signature, is found as ever. The administrator's rows hold for all accounts. Used by jobd alone; throws
// DatabaseError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/jobd/messages.h"
#include "jobs/jobd/task.h"

namespace clamscanner {

// What has been found, and where.
struct FoundContent {
    std::string path;
    std::string virus;
    std::string sha256;  // empty: unknown, since it changed while it was scanned
};

class IgnoreList {
 public:
    using RowId = std::int64_t;

    explicit IgnoreList(LedgerDatabase& database) : database_(database) {}

    // The row by which that find of the account is ignored; empty: none, as of every find whose content is unknown.
    [[nodiscard]] std::optional<RowId> row_for(AccountId account, const std::string& home, const FoundContent& found);

    // ---- Of an account
    // Replaces a row of the same content and signature. Empty: the account has too many.
    [[nodiscard]] std::optional<RowId> add(AccountId account, const FoundContent& found, const Ignoring& ignoring);
    // Ends it, and says what it was: path and signature. Empty if the account has no such row.
    [[nodiscard]] std::optional<FoundContent> end(AccountId account, RowId row);
    // Whether there is such a row of the administrator's.
    [[nodiscard]] bool is_administrators(RowId row);

    // ---- The administrator's, for all accounts
    // False: there are too many.
    [[nodiscard]] bool add_for_all(const IgnoredEverywhere& what, const Ignoring& ignoring);
    [[nodiscard]] bool end_for_all(RowId row) { return end(0, row).has_value(); }
    // Notes that the account's history says of this row that it ignores files of the account, or does so no longer.
    // False if it said so already, or the row is none of the administrator's.
    [[nodiscard]] bool tell(AccountId account, RowId row, bool ended);
    // Why and until when.
    [[nodiscard]] Ignoring ignoring_of(RowId row);
    [[nodiscard]] std::vector<IgnoredEverywhere> for_all();

    // ---- Rows that are not settled yet: see FindTable::settle_ignored()
    // Ends one whose time is over: empty if there is none. Its account: 0 if it was the administrator's.
    struct Expired {
        AccountId account = 0;
        FoundContent content;
    };
    [[nodiscard]] std::optional<Expired> end_expired();
    struct Unsettled {
        RowId row = 0;
        bool ended = false;    // else it is new
        bool expired = false;  // by itself
        AccountId account = 0;
        std::string virus;
        std::string sha256;
    };
    [[nodiscard]] std::optional<Unsettled> next_unsettled();
    // A new one is in force, one that has ended is deleted, unless that takes long: then it stays unsettled.
    void settle(const Unsettled& row);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    [[nodiscard]] std::optional<RowId> find(AccountId account, const std::string& virus, const std::string& sha256);
    [[nodiscard]] std::optional<RowId> find_pattern(const std::string& virus, std::string_view relative);

    LedgerDatabase& database_;
};

// Whether a path relative to a home fits the pattern: * is any number of characters, slashes too, and ? any one. A path
// of more than 4096 bytes fits none.
[[nodiscard]] bool fits(std::string_view relative, std::string_view pattern);

}  // namespace clamscanner
