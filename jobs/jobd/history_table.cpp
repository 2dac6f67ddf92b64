#include "jobs/jobd/history_table.h"

#include "jobs/jobd/scan_sql.h"

namespace clamscanner {
namespace {

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
              " FROM task INDEXED BY history_of_account LEFT JOIN asker ON asker.task = task.id "
              "WHERE account = ? AND kind < 3 AND task.id < ? ORDER BY task.id DESC LIMIT ?">()
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
    if (entry.what == AskedFor::Scan) return;
    statement<"SELECT state, steps FROM step_count WHERE task = ?">().each(
        [&](Row row) {
            entry.steps.push_back({row.number<RecordState>(0), row.number<std::uint64_t>(1)});
            return true;
        },
        entry.id);
}

}  // namespace clamscanner
