#include "jobs/jobd/ledger.h"

namespace clamscanner {
namespace {

constexpr std::int64_t rows_at_once = 200;  // deleting a million finds must not delay everybody's polls

}  // namespace

Ledger::Ledger(const std::string& file) : LedgerTables(file) {
    commit();
}

void Ledger::note_asked(TaskId task, const Asker& asker) {
    history().set_asker(task, asker);
    asked_.push_back(task);
}

bool Ledger::prune(std::int64_t forget_before_ms, std::int64_t forget_before_running_ms) {
    if (const auto old = statement<"SELECT id FROM task WHERE pruned = 1 ORDER BY id LIMIT 1">().number())
        return delete_some_of(*old);
    return review_jobs() || delete_accounts_of_system_scan() ||
           forget_tasks_before(forget_before_ms, forget_before_running_ms) || outbox().prune() || database().shrink();
}

bool Ledger::delete_some_of(TaskId old) {
    tasks().write(old);
    const auto deleted = [&](Statement& statement) {
        statement.run(old, rows_at_once);
        return database().changed_rows() > 0;
    };
    if (deleted(statement<"DELETE FROM find WHERE id IN (SELECT id FROM find WHERE task = ? LIMIT ?)">()) ||
        deleted(statement<"DELETE FROM hit WHERE task = ?1 AND virus IN "
                          "(SELECT virus FROM hit WHERE task = ?1 LIMIT ?2)">()) ||
        deleted(statement<"DELETE FROM record WHERE task = ?1 AND id IN "
                          "(SELECT id FROM record WHERE task = ?1 LIMIT ?2)">()) ||
        deleted(statement<"DELETE FROM cut_message WHERE (task, number, opaque) IN "
                          "(SELECT task, number, opaque FROM cut_message WHERE task = ? LIMIT ?)">()) ||
        deleted(statement<"DELETE FROM action WHERE task = ?1 AND number IN "
                          "(SELECT number FROM action WHERE task = ?1 LIMIT ?2)">()))
        return true;
    statement<"UPDATE task SET pruned = 2, log_pending = 0 WHERE id = ?">().run(old);
    return true;
}

// Jobs of earlier scans of all accounts are superseded once there is a newer one, unless they are still the last scan
// of their account that has ended.
bool Ledger::review_jobs() {
    const auto latest = statement<"SELECT max(id) FROM system_scan">().number().value_or(0);
    if (latest != reviewed_for_) {
        reviewed_for_ = latest;
        reviewed_ = 0;
    }
    std::vector<TaskId> superseded;
    const auto rows = statement<
                          "SELECT id, system_scan < ?1 AND EXISTS (SELECT 1 FROM task AS newer WHERE "
                          "newer.account = task.account AND newer.kind = 0 AND newer.id > task.id AND newer.state = 2) "
                          "FROM task INDEXED BY unpruned_jobs WHERE system_scan IS NOT NULL AND pruned = 0 AND id > ?2 "
                          "ORDER BY id LIMIT ?3">()
                          .each(
                              [&](Row row) {
                                  reviewed_ = row.number(0);
                                  if (row.number(1) != 0) superseded.push_back(reviewed_);
                                  return true;
                              },
                              latest, reviewed_, rows_at_once);
    for (const TaskId job : superseded) {
        tasks().write(job);
        statement<"UPDATE task SET pruned = 1 WHERE id = ?">().run(job);
    }
    return rows > 0;
}

bool Ledger::delete_accounts_of_system_scan() {
    const auto scan = statement<"SELECT scan FROM system_scan_account LIMIT 1">().number();
    if (!scan || statement<"SELECT 1 FROM system_scan WHERE id = ? AND ended_ms IS NULL">().number(*scan)) return false;
    database().write();
    statement<
        "DELETE FROM system_scan_account WHERE scan = ?1 AND uid IN "
        "(SELECT uid FROM system_scan_account WHERE scan = ?1 LIMIT ?2)">()
        .run(*scan, rows_at_once);
    return true;
}

bool Ledger::forget_tasks_before(std::int64_t ended_ms, std::int64_t ended_running_ms) {
#define OLD_TASKS \
    "(SELECT id FROM task WHERE pruned = 2 AND ended_ms < ? AND ended_running_ms < ? ORDER BY ended_ms LIMIT 50)"
    if (!statement<"SELECT 1 FROM task WHERE pruned = 2 AND ended_ms < ? AND ended_running_ms < ? LIMIT 1">().number(
            ended_ms, ended_running_ms))
        return false;
    database().write();
    statement<"DELETE FROM unscanned_count WHERE task IN " OLD_TASKS>().run(ended_ms, ended_running_ms);
    statement<"DELETE FROM step_count WHERE task IN " OLD_TASKS>().run(ended_ms, ended_running_ms);
    statement<"DELETE FROM asker WHERE task IN " OLD_TASKS>().run(ended_ms, ended_running_ms);
    statement<"DELETE FROM automatic_quarantine WHERE scan IN " OLD_TASKS>().run(ended_ms, ended_running_ms);
    statement<"DELETE FROM scheduled_scan WHERE task IN " OLD_TASKS>().run(ended_ms, ended_running_ms);
    // Last: the other statements need it to find their rows.
    statement<"DELETE FROM task WHERE id IN " OLD_TASKS>().run(ended_ms, ended_running_ms);
    return true;
}

}  // namespace clamscanner
