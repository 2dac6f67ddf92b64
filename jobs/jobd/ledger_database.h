// The file behind the ledger: its tables, and one transaction, open from the first change until commit(). Used by jobd
// alone, single-threaded; throws DatabaseError.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "jobs/shared/sqlite.h"

namespace clamscanner {

class LedgerDatabase {
 public:
    // Opens or creates the database and recovers: tasks that were running are queued again. Also throws if another
    // version of this program wrote it.
    explicit LedgerDatabase(const std::string& file);

    // Must be called before each change.
    void write();
    // Makes every change since the last commit durable. Cheap when there is none.
    void commit();

    // Prepared once for each string literal; `sql` must be a literal.
    [[nodiscard]] Statement& statement(const char* sql);
    // Every statement prepared so far, with the average work of one run. For tests: a statement that searches more rows
    // than it uses delays every account.
    [[nodiscard]] std::map<std::string, std::int64_t> work();
    [[nodiscard]] std::int64_t last_row() const noexcept { return database_.last_row(); }
    // How many rows the last statement changed.
    [[nodiscard]] std::int64_t changed_rows() const noexcept { return database_.changed_rows(); }

 private:
    Database database_;
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
