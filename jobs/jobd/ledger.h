// The authoritative record of all jobs, in jobd's SQLite database: tasks, what scans found, and what was intended and
// done about it. Nothing is acknowledged to anybody before commit() has returned. Used by jobd alone, single-threaded.
// Throws DatabaseError, after which jobd must stop (a restart recovers).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "jobs/jobd/ledger_tables.h"

namespace clamscanner {

class Ledger : public LedgerTables {
 public:
    // Opens or creates the database and recovers: tasks that were running are queued again.
    explicit Ledger(const std::string& file);

    // Makes every change since the last commit durable, including those that others made through database(). Cheap when
    // there is none.
    void commit() { database().commit(); }

    // Records who asked for a task, and has the audit log say so after the commit.
    void note_asked(TaskId task, const Asker& asker);
    [[nodiscard]] std::vector<TaskId> take_asked() { return std::exchange(asked_, {}); }

    [[nodiscard]] RunningTime& running_time() { return own_running_time(); }

    // Deletes some rows of superseded tasks: their finds and records, and, for tasks that ended before that time of day
    // and that running time of the host, the tasks themselves. Then makes the file smaller. True while there may be
    // more to do.
    bool prune(std::int64_t forget_before_ms, std::int64_t forget_before_running_ms);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database().statement<sql>();
    }
    bool delete_some_of(TaskId old);
    [[nodiscard]] bool review_jobs();
    [[nodiscard]] bool delete_accounts_of_system_scan();
    [[nodiscard]] bool forget_tasks_before(std::int64_t ended_ms, std::int64_t ended_running_ms);

    std::vector<TaskId> asked_;
    // Which jobs of scans of all accounts were looked at since the latest such scan began: up to this one.
    TaskId reviewed_ = 0;
    std::int64_t reviewed_for_ = 0;
};

}  // namespace clamscanner
