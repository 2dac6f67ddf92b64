// Who asked for each task, and an account's own trail: its tasks, and what was changed for it at once, for as long as
// history.days keeps them. Such a change is stored as a task that has ended: so both have one order, whatever the clock
// does, and are forgotten alike. Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "jobs/jobd/messages.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class HistoryTable {
 public:
    // Of these an account has so many at most, the latest: more than whatever runs as the account can make without its
    // password, by which it might push out others (most_ignored_per_account).
    static constexpr std::int64_t most_changes = 10'000;

    // Both must outlive this.
    HistoryTable(LedgerDatabase& database, const RunningTime& running_time)
        : database_(database), running_time_(running_time) {}

    struct Change {
        AskedFor what = AskedFor::IgnoreFiles;
        Asker asker;
        std::uint64_t files = 0;
        std::string text;  // see change_texts.h
    };
    // Call it in the transaction of the change.
    void note_change(AccountId account, const Change& change);
    // The same, as a part of the account's last one, if that is of the same kind and by the same asker, a moment ago.
    void continue_change(AccountId account, const Change& change);

    void set_asker(TaskId task, const Asker& asker);
    void set_asker_of_system_scan(std::int64_t scan, AskedBy by);
    // Of the task, who asked for the scan of all accounts.
    void inherit_asker(TaskId task, std::int64_t scan);

    // At most `limit` of them, the latest first; `before`: only earlier ones, 0 for all.
    [[nodiscard]] History of_account(AccountId account, std::uint64_t before, std::size_t limit = most_history_entries);
    // The latest tasks that ended early, of the last thousand.
    [[nodiscard]] std::vector<ServiceReport::Failure> failures(std::size_t limit);
    // Empty for a preparation and for a change.
    [[nodiscard]] std::optional<HistoryEntry> of_task(TaskId task);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    void add_steps(HistoryEntry& entry);

    LedgerDatabase& database_;
    const RunningTime& running_time_;
};

}  // namespace clamscanner
