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
    // Ends it. False if the account has no such row.
    [[nodiscard]] bool end(AccountId account, RowId row);
    // Whether there is such a row of the administrator's.
    [[nodiscard]] bool is_administrators(RowId row);

    // ---- The administrator's, for all accounts
    // False: there are too many.
    [[nodiscard]] bool add_for_all(const IgnoredEverywhere& what, const Ignoring& ignoring);
    [[nodiscard]] bool end_for_all(RowId row) { return end(0, row); }
    [[nodiscard]] std::vector<IgnoredEverywhere> for_all();

    // ---- Rows that are not settled yet: see FindTable::settle_ignored()
    void end_expired();
    struct Unsettled {
        RowId row = 0;
        bool ended = false;  // else it is new
        AccountId account = 0;
        std::string virus;
        std::string sha256;
    };
    [[nodiscard]] std::optional<Unsettled> next_unsettled();
    // A new one is in force, one that has ended is deleted.
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
