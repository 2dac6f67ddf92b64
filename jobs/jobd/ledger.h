// The authoritative record of all jobs, in jobd's SQLite database: tasks, what scans found, and what was intended and
// done about it. Nothing is acknowledged to anybody before commit() has returned. Used by jobd alone, single-threaded.
// Throws DatabaseError, after which jobd must stop (a restart recovers).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "jobs/jobd/find_table.h"
#include "jobs/jobd/history_table.h"
#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/quarantine_list.h"
#include "jobs/jobd/record_table.h"
#include "jobs/jobd/running_time.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class Ledger {
 public:
    // Opens or creates the database and recovers: tasks that were running are queued again.
    explicit Ledger(const std::string& file);

    // Makes every change since the last commit durable, including those that others made through database(). Cheap when
    // there is none.
    void commit() { database_.commit(); }

    // Records who asked for a task, and has the audit log say so after the commit.
    void note_asked(TaskId task, const Asker& asker);
    [[nodiscard]] std::vector<TaskId> take_asked() { return std::exchange(asked_, {}); }

    // All of these use the same database and live as long as this.
    [[nodiscard]] LedgerDatabase& database() noexcept { return database_; }
    [[nodiscard]] TaskTable& tasks() noexcept { return tasks_; }
    [[nodiscard]] FindTable& finds() noexcept { return finds_; }
    [[nodiscard]] RecordTable& records() noexcept { return records_; }
    [[nodiscard]] QuarantineList& quarantine() noexcept { return quarantine_; }
    [[nodiscard]] HistoryTable& history() noexcept { return history_; }
    [[nodiscard]] RunningTime& running_time() noexcept { return running_time_; }

    // Deletes some rows of superseded tasks: their finds and records, and, for tasks that ended before that time of day
    // and that running time of the host, the tasks themselves. True while there may be more to delete.
    bool prune(std::int64_t forget_before_ms, std::int64_t forget_before_running_ms);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    bool delete_some_of(TaskId old);
    [[nodiscard]] bool review_jobs();
    [[nodiscard]] bool delete_accounts_of_system_scan();
    [[nodiscard]] bool forget_tasks_before(std::int64_t ended_ms, std::int64_t ended_running_ms);

    LedgerDatabase database_;
    RunningTime running_time_;
    TaskTable tasks_;
    QuarantineList quarantine_;
    FindTable finds_;
    RecordTable records_;
    HistoryTable history_;
    std::vector<TaskId> asked_;
    // Which jobs of scans of all accounts were looked at since the latest such scan began: up to this one.
    TaskId reviewed_ = 0;
    std::int64_t reviewed_for_ = 0;
};

}  // namespace clamscanner
