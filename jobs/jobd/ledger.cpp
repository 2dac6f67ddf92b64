#include "jobs/jobd/ledger.h"

namespace clamscanner {

Ledger::Ledger(const std::string& file)
    : database_(file),
      running_time_(database_),
      tasks_(database_, running_time_),
      quarantine_(database_, running_time_),
      finds_(database_, tasks_),
      records_(database_, tasks_, quarantine_) {
    commit();
}

bool Ledger::prune(std::int64_t forget_before_ms, std::int64_t forget_before_running_ms) {
    const TaskId old = statement("SELECT id FROM task WHERE pruned = 1 ORDER BY id LIMIT 1").number().value_or(0);
    if (old == 0) return forget_tasks_before(forget_before_ms, forget_before_running_ms);
    tasks_.write(old);
    // In small pieces: deleting a million finds must not delay everybody's polls.
    for (const char* sql :
         {"DELETE FROM find WHERE id IN (SELECT id FROM find WHERE task = ? LIMIT 500)",
          "DELETE FROM record WHERE task = ?1 AND id IN (SELECT id FROM record WHERE task = ?1 LIMIT 500)",
          // All of one action together, at most most_mail_cut of them.
          "DELETE FROM cut_message WHERE task = ?1 AND number IN "
          "(SELECT number FROM cut_message WHERE task = ?1 LIMIT 500)",
          "DELETE FROM action WHERE task = ?1 AND number IN "
          "(SELECT number FROM action WHERE task = ?1 LIMIT 500)"}) {
        statement(sql).run(old);
        if (database_.changed_rows() > 0) return true;
    }
    statement("UPDATE task SET pruned = 2, log_pending = 0 WHERE id = ?").run(old);
    return true;
}

bool Ledger::forget_tasks_before(std::int64_t ended_ms, std::int64_t ended_running_ms) {
#define OLD_TASKS \
    "(SELECT id FROM task WHERE pruned = 2 AND ended_ms < ? AND ended_running_ms < ? ORDER BY ended_ms LIMIT 100)"
    if (!statement("SELECT 1 FROM task WHERE pruned = 2 AND ended_ms < ? AND ended_running_ms < ? LIMIT 1")
             .number(ended_ms, ended_running_ms))
        return false;
    database_.write();
    for (const char* sql :
         {"DELETE FROM unscanned_count WHERE task IN " OLD_TASKS, "DELETE FROM step_count WHERE task IN " OLD_TASKS,
          "DELETE FROM task WHERE id IN " OLD_TASKS})  // last: the other statements need it to find their rows
        statement(sql).run(ended_ms, ended_running_ms);
    return true;
}

}  // namespace clamscanner
