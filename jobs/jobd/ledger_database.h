// The file behind the ledger: its tables, and one transaction, open from the first change until commit(). Used by jobd
// alone, single-threaded; throws DatabaseError.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobs/shared/sqlite.h"

namespace clamscanner {

// The text of a statement, as a template's argument.
template <std::size_t size>
struct Sql {
    // NOLINTNEXTLINE(google-explicit-constructor): a literal is the text
    consteval Sql(const char (&literal)[size]) { std::copy_n(literal, size, text); }
    char text[size]{};
};

// Every statement of this program, whether it ever ran or not: each registers itself before main(). For tests, which
// see how SQLite would carry it out.
[[nodiscard]] const std::vector<const char*>& all_statements();

class LedgerDatabase {
 public:
    // Opens or creates the database and recovers: tasks that were running are queued again. One of the version before
    // is converted. Also throws if any other version of this program wrote it.
    explicit LedgerDatabase(const std::string& file);
    // Opens it for reading alone.
    struct ForReading {};
    static constexpr ForReading for_reading{};
    LedgerDatabase(const std::string& file, ForReading);

    // Must be called before each change. Throws NeedsWriting if this is open for reading alone.
    struct NeedsWriting {};
    void write();
    // Makes every change since the last commit durable. Cheap when there is none.
    void commit();
    [[nodiscard]] bool has_changes() const noexcept { return in_transaction_; }
    // Gives some of the pages that rows once filled back to the file system, when there are many: true while there are
    // more. A few milliseconds.
    [[nodiscard]] bool shrink();
    // Of one that is open for reading alone: what is read in between is of one moment.
    void begin_reading() { database_.execute("BEGIN"); }
    void end_reading() { database_.execute("COMMIT"); }

    // Prepared at its first use.
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        static_cast<void>(&registered<sql>);
        return prepared(sql.text);
    }
    // Every statement prepared so far, with the average work of one run. For tests: a statement that searches more rows
    // than it uses delays every account.
    [[nodiscard]] std::map<std::string, std::int64_t> work();
    [[nodiscard]] std::int64_t last_row() const noexcept { return database_.last_row(); }
    // Of the database in its file, in bytes.
    [[nodiscard]] std::uint64_t size();
    // How many rows the last statement changed.
    [[nodiscard]] std::int64_t changed_rows() const noexcept { return database_.changed_rows(); }

 private:
    static bool register_statement(const char* sql);
    template <Sql sql>
    static inline const bool registered = register_statement(sql.text);
    [[nodiscard]] Statement& prepared(const char* sql);

    Database database_;
    bool reads_only_ = false;
    std::map<const char*, std::unique_ptr<Statement>> statements_;
    bool in_transaction_ = false;
};

using AccountId = std::int64_t;
using TaskId = std::int64_t;

// Times are milliseconds since the epoch.
[[nodiscard]] std::int64_t now_ms();
inline constexpr std::int64_t hour_ms = 3'600'000;
inline constexpr std::int64_t day_ms = 24 * hour_ms;

}  // namespace clamscanner
