#include "jobs/jobd/task_table.h"

#include <cstdio>

#include "jobs/jobd/scan_sql.h"
#include "jobs/shared/byte_sum.h"

namespace clamscanner {
namespace {

// A log that the home had no room for is tried again for a day; after that its owner gets no copy.
constexpr std::int64_t log_copy_patience_ms = day_ms;
constexpr std::size_t most_known_accounts = 20'000;
constexpr std::size_t most_known_tasks = 4096;

// The order is that of read_task().
#define TASK_COLUMNS \
    "id, account, kind, state, outcome, scan_type, created_ms, attempts, starts, begun_running_ms, "                \
    "system_scan IS NOT NULL, EXISTS (SELECT 1 FROM scheduled_scan WHERE scheduled_scan.task = task.id), "           \
    "total_files, total_bytes, scanned_files, scanned_bytes, clean_files, infected_files, ignored_files, "           \
    UNSCANNED_FILES("task") ", known_files, known_infected, full_scan, signature_problem, settled_files, "           \
    "settled_bytes, settled_clean, settled_known, list_bytes, walk_unreadable, walk_start, last_record, embedded, "  \
    "log_pending, why"

Task read_task(Cursor& columns) {
    Task task;
    columns.into(task.id, task.account, task.kind, task.state, task.outcome, task.scan_type, task.created_ms,
                 task.attempts, task.starts, task.begun_running_ms, task.of_system_scan, task.scheduled,
                 task.total_files, task.total_bytes, task.scanned_files, task.scanned_bytes, task.clean_files,
                 task.infected_files, task.ignored_files, task.unscanned_files, task.known_files, task.known_infected,
                 task.full, task.signature_problem, task.settled.files, task.settled.bytes, task.settled.clean_files,
                 task.settled.known_files, task.list_bytes, task.walk_unreadable, task.walk_start, task.last_record,
                 task.embedded_signatures, task.log_pending, task.why);
    return task;
}

Task read_task_alone(const Row& row) {
    Cursor columns(row);
    return read_task(columns);
}

AccountTask read_account_task(const Row& row) {
    Cursor columns(row);
    AccountTask both{read_task(columns), {}};
    auto& account = both.account;
    columns.into(account.uid, account.name, account.home, account.file_system, account.inode, account.born_ns);
    return both;
}

}  // namespace

AccountId TaskTable::account_of(const AccountFacts& facts) {
    const auto known = known_accounts_.find(facts.uid);
    if (known != known_accounts_.end() && known->second.first == facts) return known->second.second;
    AccountId id = 0;
    auto& find = statement<
        "SELECT id FROM account "
        "WHERE uid = ? AND name = ? AND home = ? AND file_system = ? AND inode = ? AND born_ns = ?">();
    const auto take = [&](Row row) {
        id = row.number(0);
        return false;
    };
    if (find.each(take, facts.uid, facts.name, facts.home, facts.file_system, facts.inode, facts.born_ns) == 0) {
        database_.write();
        statement<"INSERT INTO account(uid, name, home, file_system, inode, born_ns) VALUES(?, ?, ?, ?, ?, ?)">().run(
            facts.uid, facts.name, facts.home, facts.file_system, facts.inode, facts.born_ns);
        id = database_.last_row();
    }
    if (known_accounts_.size() >= most_known_accounts) known_accounts_.clear();
    known_accounts_[facts.uid] = {facts, id};
    return id;
}

std::optional<AccountFacts> TaskTable::find_account(AccountId id) {
    return statement<"SELECT uid, name, home, file_system, inode, born_ns FROM account WHERE id = ?">().first(
        [](Row row) {
            AccountFacts account;
            Cursor(row).into(account.uid, account.name, account.home, account.file_system, account.inode,
                             account.born_ns);
            return account;
        },
        id);
}

std::optional<TaskId> TaskTable::queue(AccountId account, TaskKind kind, ScanType type) {
    database_.write();
    statement<
        "INSERT OR IGNORE INTO task(account, kind, state, scan_type, created_ms, log_pending) VALUES(?, ?, 0, ?, ?, "
        "?)">()
        .run(account, kind, type, now_ms(), kind == TaskKind::Disinfection);
    if (database_.changed_rows() == 0) return std::nullopt;
    const TaskId id = database_.last_row();
    last_tasks_.erase({account, kind});
    // A scan's finds are needed until the next scan has ended: that may not reach the files.
    if (kind == TaskKind::Scan) return id;
    prune_before(id, account, kind);
    return id;
}

void TaskTable::prune_before(TaskId id, AccountId account, TaskKind kind) {
    statement<
        "UPDATE task INDEXED BY unpruned_tasks SET pruned = 1 "
        "WHERE account = ? AND kind = ? AND id < ? AND pruned = 0">()
        .run(account, kind, id);
}

void TaskTable::turn_into(TaskId id, TaskKind kind) {
    write(id);
    statement<"UPDATE task SET kind = ?, log_pending = ? WHERE id = ? AND kind = 3">().run(
        kind, kind == TaskKind::Disinfection, id);
    const AccountId account = get(id).account;
    last_tasks_.erase({account, kind});
    prune_before(id, account, kind);
}

void TaskTable::abandon(TaskId id) {
    write(id);
    statement<
        "UPDATE task SET state = 2, outcome = 2, pruned = 1, ended_ms = ?, ended_running_ms = ? "
        "WHERE id = ? AND kind = 3 AND state < 2">()
        .run(now_ms(), running_time_.now(), id);
}

void TaskTable::prune_scans_before(TaskId id) {
    // Finds of the latest system scan are kept, whatever scans the accounts start meanwhile.
    statement<
        "UPDATE task INDEXED BY unpruned_tasks SET pruned = 1 "
        "WHERE account = (SELECT account FROM task WHERE id = ?1 AND kind = 0) AND kind = 0 AND id < ?1 AND "
        "pruned = 0 AND (system_scan IS NULL OR system_scan < (SELECT max(id) FROM system_scan))">()
        .run(id);
}

std::optional<TaskId> TaskTable::queue_scan(AccountId account, ScanType type, bool as_system, bool full) {
    const auto id = queue(account, TaskKind::Scan, type);
    if (id && as_system) statement<"UPDATE task SET origin = 1 WHERE id = ?">().run(*id);
    if (id && full) statement<"UPDATE task SET full_scan = 1 WHERE id = ?">().run(*id);
    return id;
}

std::optional<Task> TaskTable::active(AccountId account) {
    return statement<"SELECT " TASK_COLUMNS " FROM task WHERE account = ? AND state < 2">().first(read_task_alone,
                                                                                                  account);
}

std::optional<Task> TaskTable::last(AccountId account, TaskKind kind) {
    if (const auto last = last_tasks_.find({account, kind}); last != last_tasks_.end())
        if (const auto known = known_tasks_.find(last->second); known != known_tasks_.end()) return known->second.task;
    auto task =
        statement<"SELECT " TASK_COLUMNS " FROM task WHERE account = ? AND kind = ? ORDER BY id DESC LIMIT 1">().first(
            read_task_alone, account, kind);
    if (!task) return task;
    if (known_tasks_.size() >= most_known_tasks) known_tasks_.clear();
    if (last_tasks_.size() >= most_known_tasks) last_tasks_.clear();
    last_tasks_[{account, kind}] = task->id;
    known_tasks_[task->id] = {*task, std::nullopt};
    return task;
}

Task TaskTable::get(TaskId id) {
    const auto found = statement<"SELECT " TASK_COLUMNS " FROM task WHERE id = ?">().first(read_task_alone, id);
    if (!found) throw DatabaseError("a task is not in the database");
    return *found;
}

#define ACCOUNT_TASK_QUERY(tasks)                                                                  \
    "SELECT " TASK_COLUMNS ", uid, name, home, file_system, account_inode, born_ns FROM " tasks    \
    " CROSS JOIN (SELECT id AS account_id, uid, name, home, file_system, inode AS account_inode, " \
    "born_ns FROM account) ON account_id = account "

std::vector<AccountTask> TaskTable::queued() {
    std::vector<AccountTask> tasks;
    statement<ACCOUNT_TASK_QUERY(
        "task INDEXED BY open_tasks") "WHERE state < 2 AND state = 0 AND kind < 3 ORDER BY id">()
        .each([&](Row row) {
            tasks.push_back(read_account_task(row));
            return true;
        });
    return tasks;
}

std::vector<AccountTask> TaskTable::with_pending_log(std::size_t limit) {
    std::vector<AccountTask> tasks;
    statement<ACCOUNT_TASK_QUERY("task INDEXED BY pending_logs")
              "WHERE log_pending = 1 AND state = 2 AND ended_running_ms > ? AND "
              "id = (SELECT max(newer.id) FROM task AS newer WHERE newer.account = task.account AND newer.kind = 1) "
              "ORDER BY ended_running_ms DESC LIMIT ?">()
        .each(
            [&](Row row) {
                tasks.push_back(read_account_task(row));
                return true;
            },
            running_time_.now() - log_copy_patience_ms, limit);
    return tasks;
}

void TaskTable::begin(TaskId id) {
    write(id);
    // A start that gets no further than its progress_at_start has made no progress.
    statement<
        "UPDATE task SET state = 1, why = x'', starts = starts + 1, "
        "progress_at_start = max(scanned_files, last_record), "
        "begun_running_ms = CASE begun_running_ms WHEN 0 THEN ? ELSE begun_running_ms END WHERE id = ?">()
        .run(running_time_.now(), id);
}

void TaskTable::requeue(TaskId id, bool made_no_progress, const std::string& why) {
    write(id);
    statement<
        "UPDATE task SET state = 0, why = ?, attempts = CASE "
        "WHEN max(scanned_files, last_record) > progress_at_start THEN 0 "
        "ELSE attempts + ? END WHERE id = ? AND state = 1">()
        .run(why, made_no_progress, id);
}

void TaskTable::set_why(TaskId id, const std::string& why) {
    write(id);
    statement<"UPDATE task SET why = ? WHERE id = ? AND state < 2">().run(why, id);
}

void TaskTable::mark_log_whole(TaskId id) {
    write(id);
    statement<"UPDATE task SET log_pending = 0 WHERE id = ?">().run(id);
}

void TaskTable::set_outcome(TaskId id, Outcome outcome, const std::string& why) {
    write(id);
    statement<"UPDATE task SET state = 0, outcome = ?, why = ? WHERE id = ? AND state < 2">().run(outcome, why, id);
}

void TaskTable::end(TaskId id, Outcome outcome, const std::string& why) {
    write(id);
    statement<"UPDATE task SET state = 2, outcome = ?, why = ?, ended_ms = ?, ended_running_ms = ? WHERE id = ?">().run(
        outcome, why, now_ms(), running_time_.now(), id);
    statement<
        "INSERT INTO system_scan_unscanned(scan, reason, files) SELECT system_scan, reason, files FROM unscanned_count "
        "JOIN task ON task.id = unscanned_count.task WHERE unscanned_count.task = ? AND system_scan IS NOT NULL "
        "ON CONFLICT(scan, reason) DO UPDATE SET files = files + excluded.files">()
        .run(id);
    prune_scans_before(id);
    ended_.push_back(id);
}

std::vector<AccountTask> TaskTable::take_ended() {
    std::vector<AccountTask> tasks;
    for (const TaskId id : std::exchange(ended_, {})) tasks.push_back(with_account(id));
    return tasks;
}

AccountTask TaskTable::with_account(TaskId id) {
    const auto found = statement<ACCOUNT_TASK_QUERY("task") "WHERE task.id = ?">().first(read_account_task, id);
    if (!found) throw DatabaseError("a task is not in the database");
    return *found;
}

std::vector<TaskId> TaskTable::unfinished_scans() {
    std::vector<TaskId> tasks;
    statement<"SELECT id FROM task INDEXED BY unfinished_scans WHERE kind = 0 AND pruned = 0 AND outcome > 1">().each(
        [&](Row row) {
            tasks.push_back(row.number(0));
            return true;
        });
    return tasks;
}

std::optional<TaskId> TaskTable::before(const Task& task) {
    return statement<"SELECT id FROM task WHERE account = ? AND kind = ? AND id < ? ORDER BY id DESC LIMIT 1">().number(
        task.account, task.kind, task.id);
}

void TaskTable::save_totals(TaskId id, std::uint64_t files, std::uint64_t bytes, bool walked) {
    write(id);
    statement<
        "UPDATE task SET total_files = max(total_files, ?), total_bytes = max(total_bytes, ?), walked = max(walked, ?) "
        "WHERE id = ?">()
        .run(files, sum_of_bytes(bytes, 0), walked, id);
}

void TaskTable::save_progress(TaskId id, std::uint64_t scanned_files, std::uint64_t scanned_bytes,
                              std::uint64_t clean_files) {
    write(id);
    statement<
        "UPDATE task SET scanned_files = max(scanned_files, ?), scanned_bytes = max(scanned_bytes, ?), "
        "clean_files = ?, total_files = max(total_files, ?) WHERE id = ?">()
        .run(scanned_files, sum_of_bytes(scanned_bytes, 0), clean_files, scanned_files, id);
}

void TaskTable::keep_list(TaskId id, std::uint64_t bytes, std::uint64_t unreadable) {
    write(id);
    statement<"UPDATE task SET list_bytes = ?, walk_unreadable = ? WHERE id = ?">().run(bytes, unreadable, id);
}

void TaskTable::settle(TaskId id, const Settled& settled) {
    write(id);
    statement<
        "UPDATE task SET settled_files = ?, settled_bytes = ?, settled_clean = ?, settled_known = ? WHERE id = ?">()
        .run(settled.files, sum_of_bytes(settled.bytes, 0), settled.clean_files, settled.known_files, id);
}

void TaskTable::set_signatures(TaskId id, bool embedded_only, const std::string& problem) {
    write(id);
    // What one turn did with the test signatures alone, no later one makes good.
    statement<"UPDATE task SET embedded = max(embedded, ?), signature_problem = ? WHERE id = ?">().run(embedded_only,
                                                                                                       problem, id);
}

void TaskTable::count_unscanned(TaskId id, UnscannedReason reason, std::int64_t change) {
    write(id);
    statement<
        "INSERT INTO unscanned_count(task, reason, files) VALUES(?, ?, ?) "
        "ON CONFLICT(task, reason) DO UPDATE SET files = files + excluded.files">()
        .run(id, reason, change);
}

TaskTable::UnscannedCounts TaskTable::unscanned_counts(TaskId id) {
    const auto known = known_tasks_.find(id);
    if (known != known_tasks_.end() && known->second.unscanned) return *known->second.unscanned;
    UnscannedCounts counts;
    statement<"SELECT reason, files FROM unscanned_count WHERE task = ? AND files > 0">().each(
        [&](Row row) {
            counts[row.number<UnscannedReason>(0)] = row.number<std::uint64_t>(1);
            return true;
        },
        id);
    if (known != known_tasks_.end()) known->second.unscanned = counts;
    return counts;
}

void TaskTable::write(TaskId id) {
    database_.write();
    known_tasks_.erase(id);
}

std::string task_name(const Task& task) {
    char name[24];
    std::snprintf(name, sizeof name, "%08x/%014llx", static_cast<unsigned>(task.id & 0xffffffff),
                  static_cast<unsigned long long>(task.created_ms) & 0xffffffffffffffULL);
    return name;
}

}  // namespace clamscanner
