#include "jobs/jobd/history_table.h"

#include "jobs/jobd/scan_sql.h"

namespace clamscanner {
namespace {

// One request's pieces come one after the other.
constexpr std::int64_t longest_pause_ms = 60'000;

// Of TaskPhase.
#define TASK_PHASE "CASE WHEN state < 2 THEN starts > 0 ELSE CASE outcome WHEN 1 THEN 2 WHEN 3 THEN 4 ELSE 3 END END"

// Of a task that an earlier version queued, nobody knows who asked for it: but for a scan of all accounts, its owner.
#define ENTRY_COLUMNS                                                                                 \
    "task.id, kind, scan_type, coalesce(asked_by, CASE WHEN system_scan IS NULL THEN 0 ELSE 4 END), " \
    "coalesce(which, x''), coalesce(address, x''), created_ms, coalesce(ended_ms, 0), " TASK_PHASE    \
    ", why, "                                                                                         \
    "total_files, infected_files, ignored_files, " UNSCANNED_FILES("task")

HistoryEntry read_entry(const Row& row) {
    HistoryEntry entry;
    Cursor(row).into(entry.id, entry.what, entry.scan_type, entry.asker.by, entry.asker.which, entry.asker.from,
                     entry.asked_ms, entry.ended_ms, entry.phase, entry.why, entry.files, entry.infected, entry.ignored,
                     entry.unscanned);
    entry.why = entry.why.substr(0, longest_message);
    return entry;
}

}  // namespace

void HistoryTable::note_change(AccountId account, const Change& change) {
    database_.write();
    statement<
        "INSERT INTO task(account, kind, state, outcome, created_ms, ended_ms, ended_running_ms, pruned, total_files, "
        "why, number) SELECT ?1, ?2, 2, 1, ?3, ?3, ?4, 2, ?5, ?6, 1 + (SELECT coalesce(max(number), 0) FROM task "
        "INDEXED BY changes_of_account WHERE account = ?1 AND kind > 3)">()
        .run(account, change.what, now_ms(), running_time_.now(), change.files, change.text);
    const TaskId id = database_.last_row();
    set_asker(id, change.asker);
    const auto superfluous =
        statement<
            "SELECT id FROM task INDEXED BY changes_of_account WHERE account = ?1 AND kind > 3 AND "
            "number <= (SELECT number FROM task WHERE id = ?2) - ?3 LIMIT 1">()
            .number(account, id, most_changes);
    if (!superfluous) return;
    statement<"DELETE FROM asker WHERE task = ?">().run(*superfluous);
    statement<"DELETE FROM task WHERE id = ?">().run(*superfluous);
}

void HistoryTable::continue_change(AccountId account, const Change& change) {
    database_.write();
    const auto now = now_ms();
    statement<
        "UPDATE task SET total_files = total_files + ?1 WHERE id = (SELECT id FROM task INDEXED BY changes_of_account "
        "WHERE account = ?2 AND kind > 3 ORDER BY number DESC LIMIT 1) AND kind = ?3 AND created_ms BETWEEN ?4 AND ?5 "
        "AND "
        "EXISTS (SELECT 1 FROM asker WHERE asker.task = task.id AND asked_by = ?6 AND which = ?7 AND address = ?8)">()
        .run(change.files, account, change.what, now - longest_pause_ms, now, change.asker.by, change.asker.which,
             change.asker.from);
    if (database_.changed_rows() == 0) note_change(account, change);
}

void HistoryTable::set_asker(TaskId task, const Asker& asker) {
    database_.write();
    statement<"INSERT OR REPLACE INTO asker(task, asked_by, which, address) VALUES(?, ?, ?, ?)">().run(
        task, asker.by, asker.which, asker.from);
}

void HistoryTable::set_asker_of_system_scan(std::int64_t scan, AskedBy by) {
    database_.write();
    statement<"INSERT OR REPLACE INTO system_scan_asker(scan, asked_by) VALUES(?, ?)">().run(scan, by);
}

void HistoryTable::inherit_asker(TaskId task, std::int64_t scan) {
    database_.write();
    statement<
        "INSERT OR REPLACE INTO asker(task, asked_by, which, address) "
        "SELECT ?, asked_by, x'', x'' FROM system_scan_asker WHERE scan = ?">()
        .run(task, scan);
}

History HistoryTable::of_account(AccountId account, std::uint64_t before, std::size_t limit) {
    History history;
    statement<"SELECT " ENTRY_COLUMNS
              " FROM task INDEXED BY trail_of_account LEFT JOIN asker ON asker.task = task.id "
              "WHERE account = ? AND kind <> 3 AND task.id < ? ORDER BY task.id DESC LIMIT ?">()
        .each(
            [&](Row row) {
                history.entries.push_back(read_entry(row));
                return true;
            },
            account, before == 0 ? INT64_MAX : static_cast<std::int64_t>(before & INT64_MAX), limit);
    for (auto& entry : history.entries) add_steps(entry);
    if (history.entries.size() == limit) history.next = history.entries.back().id;
    return history;
}

std::optional<HistoryEntry> HistoryTable::of_task(TaskId task) {
    auto entry = statement<"SELECT " ENTRY_COLUMNS
                           " FROM task LEFT JOIN asker ON asker.task = task.id WHERE task.id = ? AND kind < 3">()
                     .first(read_entry, task);
    if (entry) add_steps(*entry);
    return entry;
}

std::vector<ServiceReport::Failure> HistoryTable::failures(std::size_t limit) {
    std::vector<ServiceReport::Failure> failures;
    statement<
        "SELECT name, kind, coalesce(ended_ms, 0), why FROM task CROSS JOIN account ON account.id = task.account "
        "WHERE task.id > (SELECT max(id) FROM task) - 1000 AND state = 2 AND outcome = 2 AND kind < 3 "
        "ORDER BY task.id DESC LIMIT ?">()
        .each(
            [&](Row row) {
                ServiceReport::Failure failure;
                Cursor(row).into(failure.account, failure.what, failure.ended_ms, failure.why);
                failure.why = failure.why.substr(0, longest_message);
                failures.push_back(std::move(failure));
                return true;
            },
            limit);
    return failures;
}

void HistoryTable::add_steps(HistoryEntry& entry) {
    if (entry.what != AskedFor::Disinfection && entry.what != AskedFor::Restoration) return;
    statement<"SELECT state, steps FROM step_count WHERE task = ?">().each(
        [&](Row row) {
            entry.steps.push_back({row.number<RecordState>(0), row.number<std::uint64_t>(1)});
            return true;
        },
        entry.id);
}

}  // namespace clamscanner
