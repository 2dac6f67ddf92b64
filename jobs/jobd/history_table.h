// Who asked for each task, and an account's own trail: its tasks, for as long as history.days keeps them. Used by jobd
// alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "jobs/jobd/messages.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class HistoryTable {
 public:
    explicit HistoryTable(LedgerDatabase& database) : database_(database) {}

    void set_asker(TaskId task, const Asker& asker);
    void set_asker_of_system_scan(std::int64_t scan, AskedBy by);
    // Of the task, who asked for the scan of all accounts.
    void inherit_asker(TaskId task, std::int64_t scan);

    // At most `limit` of them, the latest first; `before`: only earlier ones, 0 for all.
    [[nodiscard]] History of_account(AccountId account, std::uint64_t before, std::size_t limit = most_history_entries);
    // The latest tasks that ended early, of the last thousand.
    [[nodiscard]] std::vector<ServiceReport::Failure> failures(std::size_t limit);
    // Empty for a preparation.
    [[nodiscard]] std::optional<HistoryEntry> of_task(TaskId task);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    void add_steps(HistoryEntry& entry);

    LedgerDatabase& database_;
};

}  // namespace clamscanner
