#include "jobs/jobd/ledger.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "jobs/jobd/list_piece.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/paths.h"

namespace clamscanner {
namespace {

// A log that the home had no room for is tried again for a day; after that its owner gets no copy.
constexpr std::int64_t log_copy_patience_ms = day_ms;
constexpr std::size_t most_known_accounts = 20'000;
constexpr std::size_t most_known_tasks = 4096;

// The order in which read_task() takes them.
#define TASK_COLUMNS                                                                                                   \
    "id, account, kind, state, outcome, scan_type, created_ms, attempts, starts, total_files, total_bytes, "           \
    "scanned_files, scanned_bytes, clean_files, infected_files, unscanned_files, last_record, embedded, log_pending, " \
    "why, begun_running_ms, system_scan IS NOT NULL, settled_files, settled_bytes, settled_clean, list_bytes, "        \
    "walk_unreadable, walk_start, settled_known, known_files, full_scan, signature_problem, known_infected"
constexpr int task_column_count = 33;

Task read_task(const Row& row) {
    Task task;
    int column = 0;
    task.id = row.number(column++);
    task.account = row.number(column++);
    task.kind = row.number<TaskKind>(column++);
    task.state = row.number<TaskState>(column++);
    task.outcome = row.number<Outcome>(column++);
    task.scan_type = row.number<ScanType>(column++);
    task.created_ms = row.number(column++);
    task.attempts = row.number<std::uint32_t>(column++);
    task.starts = row.number<std::uint32_t>(column++);
    for (auto* count : {&task.total_files, &task.total_bytes, &task.scanned_files, &task.scanned_bytes,
                        &task.clean_files, &task.infected_files, &task.unscanned_files, &task.last_record})
        *count = row.number<std::uint64_t>(column++);
    task.embedded_signatures = row.number(column++) != 0;
    task.log_pending = row.number(column++) != 0;
    task.why = row.bytes(column++);
    task.begun_running_ms = row.number(column++);
    task.of_system_scan = row.number(column++) != 0;
    for (auto* count :
         {&task.settled.files, &task.settled.bytes, &task.settled.clean_files, &task.list_bytes, &task.walk_unreadable})
        *count = row.number<std::uint64_t>(column++);
    task.walk_start = row.number<std::uint32_t>(column++);
    task.settled.known_files = row.number<std::uint64_t>(column++);
    task.known_files = row.number<std::uint64_t>(column++);
    task.full = row.number(column++) != 0;
    task.signature_problem = row.bytes(column++);
    task.known_infected = row.number<std::uint64_t>(column++);
    return task;
}

AccountTask read_account_task(const Row& row) {
    AccountTask both{read_task(row), {}};
    int column = task_column_count;
    both.account.uid = row.number<uid_t>(column++);
    both.account.name = row.bytes(column++);
    both.account.home = row.bytes(column++);
    both.account.file_system = row.number<std::uint64_t>(column++);
    both.account.inode = row.number<std::uint64_t>(column++);
    both.account.born_ns = row.number(column++);
    return both;
}

std::string cut_message(const std::string& message) {
    return message.substr(0, longest_message);
}

}  // namespace

Ledger::Ledger(const std::string& file)
    : database_(file), running_time_(database_), quarantine_(database_, running_time_) {
    commit();
}

void Ledger::write(TaskId id) {
    database_.write();
    known_tasks_.erase(id);
}

// ---- Accounts ------------------------------------------------------------------------------------------------------

AccountId Ledger::account_of(const AccountFacts& facts) {
    const auto known = known_accounts_.find(facts.uid);
    if (known != known_accounts_.end() && known->second.first == facts) return known->second.second;
    AccountId id = 0;
    auto& find = statement(
        "SELECT id FROM account "
        "WHERE uid = ? AND name = ? AND home = ? AND file_system = ? AND inode = ? AND born_ns = ?");
    const auto take = [&](Row row) {
        id = row.number(0);
        return false;
    };
    if (find.each(take, facts.uid, facts.name, facts.home, facts.file_system, facts.inode, facts.born_ns) == 0) {
        database_.write();
        statement("INSERT INTO account(uid, name, home, file_system, inode, born_ns) VALUES(?, ?, ?, ?, ?, ?)")
            .run(facts.uid, facts.name, facts.home, facts.file_system, facts.inode, facts.born_ns);
        id = database_.last_row();
    }
    if (known_accounts_.size() >= most_known_accounts) known_accounts_.clear();
    known_accounts_[facts.uid] = {facts, id};
    return id;
}

// ---- Tasks ---------------------------------------------------------------------------------------------------------

std::optional<TaskId> Ledger::insert_task(AccountId account, TaskKind kind, ScanType type) {
    database_.write();
    statement(
        "INSERT OR IGNORE INTO task(account, kind, state, scan_type, created_ms, log_pending) VALUES(?, ?, 0, ?, ?, ?)")
        .run(account, kind, type, now_ms(), kind == TaskKind::Disinfection);
    if (database_.changed_rows() == 0) return std::nullopt;
    const TaskId id = database_.last_row();
    last_tasks_.erase({account, kind});
    // A scan's finds are needed until the next scan has ended: that may not reach the files.
    if (kind == TaskKind::Scan) return id;
    statement(
        "UPDATE task INDEXED BY unpruned_tasks SET pruned = 1 "
        "WHERE account = ? AND kind = ? AND id < ? AND pruned = 0")
        .run(account, kind, id);
    return id;
}

void Ledger::prune_scans_before(TaskId id) {
    // Finds of the latest system scan are kept, whatever scans the accounts start meanwhile.
    statement(
        "UPDATE task INDEXED BY unpruned_tasks SET pruned = 1 "
        "WHERE account = (SELECT account FROM task WHERE id = ?1 AND kind = 0) AND kind = 0 AND id < ?1 AND "
        "pruned = 0 AND (system_scan IS NULL OR system_scan < (SELECT max(id) FROM system_scan))")
        .run(id);
}

std::optional<TaskId> Ledger::queue_scan(AccountId account, ScanType type, bool as_system, bool full) {
    const auto id = insert_task(account, TaskKind::Scan, type);
    if (id && as_system) statement("UPDATE task SET origin = 1 WHERE id = ?").run(*id);
    if (id && full) statement("UPDATE task SET full_scan = 1 WHERE id = ?").run(*id);
    return id;
}

bool Ledger::is_listed(TaskId scan, const std::string& path) {
    return statement("SELECT 1 FROM find WHERE task = ? AND path = ? AND verdict = 1 AND gone = 0")
        .number(scan, path)
        .has_value();
}

std::optional<Ledger::Conflict> Ledger::resolve(AccountId account, const std::string& home,
                                                std::vector<FileAction> asked, std::vector<PlannedAction>& planned) {
    const auto scan = last_task(account, TaskKind::Scan);
    std::unordered_map<std::string, std::pair<Action, std::string>> named;  // by resolved path: action, path as asked
    for (auto& [path, action] : asked) {
        PlannedAction plan;
        plan.action = action;
        plan.path = path;
        std::vector<std::string> candidates = {path};
        if (!path.starts_with('/')) candidates = {"/" + path, path_in(home, path)};
        for (auto& candidate : candidates) {
            if (!scan || !is_listed(scan->id, candidate)) continue;
            plan.path = std::move(candidate);
            plan.listed = true;
            break;
        }
        const auto [known, fresh] = named.try_emplace(plan.path, action, path);
        if (!fresh && known->second.first != action) return Conflict{known->second.second, path};
        if (!fresh) continue;
        plan.number = planned.size() + 1;
        planned.push_back(std::move(plan));
    }
    return std::nullopt;
}

std::optional<TaskId> Ledger::queue_disinfection(AccountId account, const std::vector<PlannedAction>& planned) {
    const auto id = insert_task(account, TaskKind::Disinfection, ScanType::Home);
    if (!id) return std::nullopt;
    auto& insert = statement("INSERT INTO action(task, number, path, action, listed) VALUES(?, ?, ?, ?, ?)");
    for (const auto& plan : planned) insert.run(*id, plan.number, plan.path, plan.action, plan.listed);
    return id;
}

std::optional<Task> Ledger::active_task(AccountId account) {
    return statement("SELECT " TASK_COLUMNS " FROM task WHERE account = ? AND state < 2").first(read_task, account);
}

std::optional<Task> Ledger::last_task(AccountId account, TaskKind kind) {
    if (const auto last = last_tasks_.find({account, kind}); last != last_tasks_.end())
        if (const auto known = known_tasks_.find(last->second); known != known_tasks_.end()) return known->second.task;
    auto task = statement("SELECT " TASK_COLUMNS " FROM task WHERE account = ? AND kind = ? ORDER BY id DESC LIMIT 1")
                    .first(read_task, account, kind);
    if (!task) return task;
    if (known_tasks_.size() >= most_known_tasks) known_tasks_.clear();
    if (last_tasks_.size() >= most_known_tasks) last_tasks_.clear();
    last_tasks_[{account, kind}] = task->id;
    known_tasks_[task->id] = {*task, std::nullopt};
    return task;
}

Task Ledger::task(TaskId id) {
    const auto found = statement("SELECT " TASK_COLUMNS " FROM task WHERE id = ?").first(read_task, id);
    if (!found) throw DatabaseError("a task is not in the database");
    return *found;
}

#define ACCOUNT_TASK_QUERY                                                                          \
    "SELECT " TASK_COLUMNS                                                                          \
    ", uid, name, home, file_system, account_inode, born_ns FROM task "                             \
    "JOIN (SELECT id AS account_id, uid, name, home, file_system, inode AS account_inode, born_ns " \
    "FROM account) ON account_id = account "

std::vector<AccountTask> Ledger::queued_tasks() {
    std::vector<AccountTask> tasks;
    statement(ACCOUNT_TASK_QUERY "WHERE state = 0 ORDER BY id").each([&](Row row) {
        tasks.push_back(read_account_task(row));
        return true;
    });
    return tasks;
}

std::vector<AccountTask> Ledger::tasks_with_pending_log(std::size_t limit) {
    std::vector<AccountTask> tasks;
    statement(ACCOUNT_TASK_QUERY
              "WHERE log_pending = 1 AND state = 2 AND ended_running_ms > ? AND id = (SELECT max(newer.id) FROM task "
              "AS newer "
              "WHERE newer.account = task.account AND newer.kind = 1) ORDER BY id DESC LIMIT ?")
        .each(
            [&](Row row) {
                tasks.push_back(read_account_task(row));
                return true;
            },
            running_time_.now() - log_copy_patience_ms, limit);
    return tasks;
}

void Ledger::begin(TaskId id) {
    write(id);
    // A start that gets no further than its progress_at_start has made no progress.
    statement(
        "UPDATE task SET state = 1, why = x'', starts = starts + 1, "
        "progress_at_start = max(scanned_files, last_record), "
        "begun_running_ms = CASE begun_running_ms WHEN 0 THEN ? ELSE begun_running_ms END WHERE id = ?")
        .run(running_time_.now(), id);
}

void Ledger::requeue(TaskId id, bool made_no_progress, const std::string& why) {
    write(id);
    statement(
        "UPDATE task SET state = 0, why = ?, attempts = CASE "
        "WHEN max(scanned_files, last_record) > progress_at_start THEN 0 "
        "ELSE attempts + ? END WHERE id = ? AND state = 1")
        .run(why, made_no_progress, id);
}

void Ledger::set_why(TaskId id, const std::string& why) {
    write(id);
    statement("UPDATE task SET why = ? WHERE id = ? AND state < 2").run(why, id);
}

void Ledger::mark_log_whole(TaskId id) {
    write(id);
    statement("UPDATE task SET log_pending = 0 WHERE id = ?").run(id);
}

void Ledger::end(TaskId id, Outcome outcome, const std::string& why) {
    write(id);
    statement("UPDATE task SET state = 2, outcome = ?, why = ?, ended_ms = ?, ended_running_ms = ? WHERE id = ?")
        .run(outcome, why, now_ms(), running_time_.now(), id);
    prune_scans_before(id);
}

std::vector<TaskId> Ledger::unfinished_scans() {
    std::vector<TaskId> tasks;
    statement("SELECT id FROM task WHERE kind = 0 AND outcome IN (2, 3) AND pruned = 0").each([&](Row row) {
        tasks.push_back(row.number(0));
        return true;
    });
    return tasks;
}

std::optional<TaskId> Ledger::task_before(const Task& task) {
    return statement("SELECT id FROM task WHERE account = ? AND kind = ? AND id < ? ORDER BY id DESC LIMIT 1")
        .number(task.account, task.kind, task.id);
}

// ---- A scan --------------------------------------------------------------------------------------------------------

void Ledger::save_totals(TaskId id, std::uint64_t files, std::uint64_t bytes, bool walked) {
    write(id);
    statement(
        "UPDATE task SET total_files = max(total_files, ?), total_bytes = max(total_bytes, ?), walked = max(walked, ?) "
        "WHERE id = ?")
        .run(files, sum_of_bytes(bytes, 0), walked, id);
}

void Ledger::save_progress(TaskId id, std::uint64_t scanned_files, std::uint64_t scanned_bytes,
                           std::uint64_t clean_files) {
    write(id);
    statement(
        "UPDATE task SET scanned_files = max(scanned_files, ?), scanned_bytes = max(scanned_bytes, ?), "
        "clean_files = ?, total_files = max(total_files, ?) WHERE id = ?")
        .run(scanned_files, sum_of_bytes(scanned_bytes, 0), clean_files, scanned_files, id);
}

#define UNSCANNED_BEYOND " FROM find INDEXED BY finds_by_place WHERE task = ? AND verdict = 2 AND place >= ?"
#define UNSCANNED_BEFORE " FROM find WHERE task = ? AND verdict = 2 AND start < ?"
#define COUNTED(rows) "SELECT reason, count(*)" rows " GROUP BY reason"

void Ledger::begin_list(TaskId id, std::uint32_t start, bool embedded_only) {
    write(id);
    // The first start has no earlier one that could have left records.
    if (start > 1) {
        forget_unscanned(id, {COUNTED(UNSCANNED_BEFORE), "DELETE" UNSCANNED_BEFORE}, start);
        statement("UPDATE find INDEXED BY finds_by_place SET place = NULL WHERE task = ? AND place >= 0 AND start < ?")
            .run(id, start);
    }
    statement(
        "UPDATE task SET settled_files = 0, settled_bytes = 0, settled_clean = 0, settled_known = 0, list_bytes = 0, "
        "walk_unreadable = 0, embedded = ?, walk_start = ? WHERE id = ?")
        .run(embedded_only, start, id);
}

void Ledger::keep_list(TaskId id, std::uint64_t bytes, std::uint64_t unreadable) {
    write(id);
    statement("UPDATE task SET list_bytes = ?, walk_unreadable = ? WHERE id = ?").run(bytes, unreadable, id);
}

void Ledger::settle(TaskId id, const Settled& settled) {
    write(id);
    statement("UPDATE task SET settled_files = ?, settled_bytes = ?, settled_clean = ?, settled_known = ? WHERE id = ?")
        .run(settled.files, sum_of_bytes(settled.bytes, 0), settled.clean_files, settled.known_files, id);
}

void Ledger::forget_unsettled(TaskId id) {
    const auto settled = static_cast<std::int64_t>(task(id).settled.files);
    forget_unscanned(id, {COUNTED(UNSCANNED_BEYOND), "DELETE" UNSCANNED_BEYOND}, settled);
}

// `bound`: the statements' second value.
void Ledger::forget_unscanned(TaskId id, const ForgetStatements& statements, std::int64_t bound) {
    write(id);
    std::map<UnscannedReason, int> forgotten;
    statement(statements.count)
        .each(
            [&](Row row) {
                forgotten[row.number<UnscannedReason>(0)] = row.number<int>(1);
                return true;
            },
            id, bound);
    if (forgotten.empty()) return;
    for (const auto& [reason, files] : forgotten) count_unscanned(id, reason, -files);
    statement(statements.remove).run(id, bound);
}

void Ledger::set_signatures(TaskId id, bool embedded_only, const std::string& problem) {
    write(id);
    // What one turn did with the test signatures alone, no later one makes good.
    statement("UPDATE task SET embedded = max(embedded, ?), signature_problem = ? WHERE id = ?")
        .run(embedded_only, problem, id);
}

void Ledger::count_unscanned(TaskId id, UnscannedReason reason, std::int64_t change) {
    statement(
        "INSERT INTO unscanned_count(task, reason, files) VALUES(?, ?, ?) "
        "ON CONFLICT(task, reason) DO UPDATE SET files = files + excluded.files")
        .run(id, reason, change);
    statement("UPDATE task SET unscanned_files = unscanned_files + ? WHERE id = ?").run(change, id);
}

void Ledger::add_infected(TaskId id, std::uint32_t start, const std::string& path, const std::string& virus,
                          const std::string& sha256, bool known, std::optional<std::uint64_t> place) {
    write(id);
    bool infected_before = false;
    bool known_before = false;  // its infection was known from an earlier scan
    statement("SELECT verdict, reason, known FROM find WHERE task = ? AND path = ?")
        .each(
            [&](Row row) {
                infected_before = row.number(0) == 1;
                known_before = infected_before && row.number(2) != 0;
                if (!infected_before) count_unscanned(id, row.number<UnscannedReason>(1), -1);
                return false;
            },
            id, path);
    statement(
        "INSERT INTO find(task, path, verdict, virus, reason, sha256, start, found_ms, known, place) "
        "VALUES(?, ?, 1, ?, 0, ?, ?, ?, ?, nullif(?, -1)) ON CONFLICT(task, path) DO UPDATE SET verdict = 1, "
        "virus = excluded.virus, sha256 = excluded.sha256, start = excluded.start, found_ms = excluded.found_ms, "
        "known = excluded.known, place = excluded.place")
        .run(id, path, virus, sha256, start, now_ms(), known, place ? static_cast<std::int64_t>(*place) : -1);
    statement(
        "UPDATE task SET infected_files = infected_files + ?, known_infected = known_infected + ?, "
        "risk = max(risk, ?) WHERE id = ?")
        .run(!infected_before, static_cast<int>(known) - static_cast<int>(known_before), risk_of(virus), id);
}

void Ledger::add_unscanned(TaskId id, std::uint32_t start, const std::string& path, UnscannedReason reason,
                           std::optional<std::uint64_t> place) {
    write(id);
    bool infected_before = false;
    bool unscanned_before = false;
    UnscannedReason reason_before{};
    statement("SELECT verdict, reason FROM find WHERE task = ? AND path = ?")
        .each(
            [&](Row row) {
                infected_before = row.number(0) == 1;
                unscanned_before = !infected_before;
                reason_before = row.number<UnscannedReason>(1);
                return false;
            },
            id, path);
    // An interrupted start found it infected; that stays until it is scanned again.
    if (infected_before) return;
    if (unscanned_before) count_unscanned(id, reason_before, -1);
    count_unscanned(id, reason, 1);
    statement(
        "INSERT INTO find(task, path, verdict, virus, reason, start, place) VALUES(?, ?, 2, x'', ?, ?, nullif(?, -1)) "
        "ON CONFLICT(task, path) DO UPDATE SET reason = excluded.reason, start = excluded.start, "
        "place = excluded.place")
        .run(id, path, reason, start, place ? static_cast<std::int64_t>(*place) : -1);
}

void Ledger::complete_scan(TaskId id, std::uint32_t walk_start, std::uint64_t total_files, std::uint64_t clean_files,
                           std::uint64_t known_files) {
    if (walk_start > 1) forget_unscanned(id, {COUNTED(UNSCANNED_BEFORE), "DELETE" UNSCANNED_BEFORE}, walk_start);
    write(id);
    statement(
        "UPDATE task SET clean_files = ?, known_files = ?, total_files = max(total_files, ?, ? + infected_files + "
        "unscanned_files), total_bytes = max(total_bytes, scanned_bytes) WHERE id = ?")
        .run(clean_files, known_files, total_files, clean_files, id);
    statement("UPDATE task SET scanned_files = total_files WHERE id = ?").run(id);
    end(id, Outcome::Completed, "");
}

std::map<std::string, Ledger::EarlierFind> Ledger::earlier_finds(const Task& scan) {
    std::map<std::string, EarlierFind> finds;
    const auto take = [&](bool of_this_scan) {
        return [&finds, of_this_scan](Row row) {
            finds.try_emplace(row.bytes(1), EarlierFind{row.number(0), of_this_scan, row.bytes(2)});
            return true;
        };
    };
    statement("SELECT id, path, virus FROM find WHERE task = ? AND verdict = 1 AND place IS NULL")
        .each(take(true), scan.id);
    // Of a later walk, which was interrupted.
    statement("SELECT id, path, virus FROM find WHERE task = ? AND verdict = 2 AND place IS NULL AND start > ?")
        .each(take(true), scan.id, scan.walk_start);
    if (const auto before = task_before(scan))
        statement(
            "SELECT id, path, virus FROM find INDEXED BY listed_finds WHERE task = ? AND verdict = 1 AND gone = 0")
            .each(take(false), *before);
    return finds;
}

void Ledger::keep_find(TaskId id, const EarlierFind& find, std::optional<std::uint64_t> place) {
    write(id);
    const auto at = place ? static_cast<std::int64_t>(*place) : -1;
    if (find.of_this_scan) {
        statement("UPDATE find SET place = nullif(?, -1) WHERE id = ?").run(at, find.id);
        return;
    }
    statement(
        "INSERT OR IGNORE INTO find(task, path, verdict, virus, reason, sha256, start, found_ms, place) "
        "SELECT ?, path, 1, virus, 0, sha256, 0, found_ms, nullif(?, -1) FROM find WHERE id = ?")
        .run(id, at, find.id);
    if (database_.changed_rows() == 0) return;
    statement("UPDATE task SET infected_files = infected_files + 1, risk = max(risk, ?) WHERE id = ?")
        .run(risk_of(find.virus), id);
}

void Ledger::end_unfinished(TaskId id, Outcome outcome, const std::string& why, std::uint64_t listed) {
    write(id);
    const auto settled = task(id).settled.files;
    const auto beyond = statement("SELECT count(*) FROM find INDEXED BY finds_by_place WHERE task = ? AND place >= ?")
                            .number(id, settled)
                            .value_or(0);
    const auto unreached = static_cast<std::int64_t>(listed) - static_cast<std::int64_t>(settled) - beyond;
    if (unreached > 0)
        count_unscanned(id, outcome == Outcome::Cancelled ? UnscannedReason::Cancelled : UnscannedReason::EndedEarly,
                        unreached);
    statement(
        "UPDATE task SET clean_files = settled_clean, known_files = settled_known, "
        "total_files = settled_clean + infected_files + unscanned_files, "
        "scanned_files = settled_clean + infected_files + unscanned_files WHERE id = ?")
        .run(id);
    end(id, outcome, why);
}

Ledger::UnscannedCounts Ledger::unscanned_counts(TaskId id) {
    const auto known = known_tasks_.find(id);
    if (known != known_tasks_.end() && known->second.unscanned) return *known->second.unscanned;
    UnscannedCounts counts;
    statement("SELECT reason, files FROM unscanned_count WHERE task = ? AND files > 0")
        .each(
            [&](Row row) {
                counts[row.number<UnscannedReason>(0)] = row.number<std::uint64_t>(1);
                return true;
            },
            id);
    if (known != known_tasks_.end()) known->second.unscanned = counts;
    return counts;
}

Ledger::Paths Ledger::found_paths(TaskId id, std::size_t budget) {
    Paths found;
    std::size_t cost = 0;
    statement("SELECT path FROM find WHERE task = ? AND verdict = 1 ORDER BY id")
        .each(
            [&](Row row) {
                std::string path = row.bytes(0);
                cost += cost_in_json(path);
                found.cut = cost > budget || found.paths.size() >= most_entries;
                if (!found.cut) found.paths.push_back(std::move(path));
                return !found.cut;
            },
            id);
    return found;
}

Ledger::Listed Ledger::infected_files(TaskId id, std::int64_t after, std::size_t budget) {
    Listed listed;
    Piece piece(listed, after, budget);
    statement(
        "SELECT id, path, virus FROM find INDEXED BY listed_finds "
        "WHERE task = ? AND id > ? AND verdict = 1 AND gone = 0 ORDER BY id")
        .each(
            [&](Row row) {
                InfectedFile file{row.bytes(1), row.bytes(2)};
                const auto cost = cost_in_json(file.path) + cost_in_json(file.virus);
                return piece.add(row.number(0), std::move(file), cost);
            },
            id, after);
    return listed;
}

Ledger::Unscanned Ledger::unscanned_files(TaskId id, std::int64_t after, std::size_t budget) {
    Unscanned found;
    Piece piece(found, after, budget);
    statement("SELECT id, path, reason FROM find WHERE task = ? AND id > ? AND verdict = 2 ORDER BY id")
        .each(
            [&](Row row) {
                UnscannedFile file{row.bytes(1), row.number<UnscannedReason>(2)};
                const auto cost = cost_in_json(file.path) + 64;
                return piece.add(row.number(0), std::move(file), cost);
            },
            id, after);
    return found;
}

std::set<std::string> Ledger::placed_beyond_settled(TaskId id) {
    std::set<std::string> paths;
    statement(
        "SELECT path FROM find INDEXED BY finds_by_place WHERE task = ?1 AND "
        "place >= (SELECT settled_files FROM task WHERE id = ?1)")
        .each(
            [&](Row row) {
                paths.insert(row.bytes(0));
                return true;
            },
            id);
    return paths;
}

std::vector<Ledger::Find> Ledger::finds_after(TaskId id, std::int64_t after, std::size_t limit) {
    std::vector<Find> finds;
    // Merges two lists that are each in the order of an index; any other query would sort all remaining rows.
#define FINDS_AFTER(verdict) \
    "SELECT id, path, virus, reason FROM find WHERE task = ?1 AND verdict = " verdict " AND id > ?2"
    statement(FINDS_AFTER("1") " UNION ALL " FINDS_AFTER("2") " ORDER BY id LIMIT ?3")
        .each(
            [&](Row row) {
                finds.push_back({row.number(0), row.bytes(1), row.bytes(2), row.number<UnscannedReason>(3)});
                return true;
            },
            id, after, limit);
    return finds;
}

// ---- A disinfection ------------------------------------------------------------------------------------------------

namespace {

// Open ones. With the primary key the query would step over all actions already finished.
#define ACTION_QUERY                                                                                               \
    "SELECT number, path, action, listed, state, opaque, device, inode, size, mtime_ns, sha256, virus, metadata, " \
    "remark, moved FROM action INDEXED BY open_actions WHERE task = ? AND state < 2 "

PlannedAction read_action(const Row& row) {
    PlannedAction action;
    action.number = row.number<std::uint64_t>(0);
    action.path = row.bytes(1);
    action.action = row.number<Action>(2);
    action.listed = row.number(3) != 0;
    action.intended = row.number(4) == 1;
    action.opaque = row.bytes(5);
    action.identity = {row.number<std::uint64_t>(6), row.number<std::uint64_t>(7), row.number<std::uint64_t>(8),
                       row.number(9)};
    action.sha256 = row.bytes(10);
    action.virus = row.bytes(11);
    action.metadata = unpacked(row.bytes(12));
    action.remark = row.bytes(13);
    action.moved = row.number<Moved>(14);
    return action;
}

}  // namespace

std::optional<PlannedAction> Ledger::next_action(TaskId id) {
    auto next = statement(ACTION_QUERY "ORDER BY number LIMIT 1").first(read_action, id);
    if (next && next->intended)
        statement("SELECT opaque, sha256, virus FROM cut_message WHERE task = ? AND number = ? ORDER BY opaque")
            .each(
                [&](Row row) {
                    next->cuts.push_back({row.bytes(0), row.bytes(1), row.bytes(2)});
                    return true;
                },
                id, next->number);
    return next;
}

std::vector<PlannedAction> Ledger::actions_after(TaskId id, std::uint64_t number, std::size_t limit) {
    std::vector<PlannedAction> actions;
    statement(ACTION_QUERY "AND number > ? ORDER BY number LIMIT ?")
        .each(
            [&](Row row) {
                actions.push_back(read_action(row));
                return true;
            },
            id, number, limit);
    return actions;
}

void Ledger::intend(TaskId id, const PlannedAction& action) {
    write(id);
    statement(
        "UPDATE action SET state = 1, action = ?, opaque = ?, device = ?, inode = ?, size = ?, mtime_ns = ?, "
        "sha256 = ?, virus = ?, metadata = ?, remark = ?, moved = ? WHERE task = ? AND number = ? AND state < 2")
        .run(action.action, action.opaque, action.identity.device, action.identity.inode, action.identity.size,
             action.identity.mtime_ns, action.sha256, action.virus, packed(action.metadata), action.remark,
             action.moved, id, action.number);
    statement("DELETE FROM cut_message WHERE task = ? AND number = ?").run(id, action.number);
    auto& insert = statement("INSERT INTO cut_message(task, number, opaque, sha256, virus) VALUES(?, ?, ?, ?, ?)");
    for (const auto& cut : action.cuts) insert.run(id, action.number, cut.opaque, cut.sha256, cut.virus);
}

std::string Ledger::found_sha256(AccountId account, const std::string& path) {
    const auto scan = last_task(account, TaskKind::Scan);
    std::string sha256;
    if (scan)
        statement("SELECT sha256 FROM find WHERE task = ? AND path = ? AND verdict = 1")
            .each(
                [&](Row row) {
                    sha256 = row.bytes(0);
                    return false;
                },
                scan->id, path);
    return sha256;
}

void Ledger::add_record(TaskId id, Record record) {
    write(id);
    statement("UPDATE task SET last_record = last_record + 1 WHERE id = ?").run(id);
    statement(
        "INSERT INTO record(task, id, type, state, file, message) "
        "SELECT id, last_record, ?, ?, ?, ? FROM task WHERE id = ?")
        .run(record.type, record.state, record.file, cut_message(record.message), id);
}

void Ledger::record_step(TaskId id, const PlannedAction& action, RecordState state, const std::string& message) {
    write(id);
    statement("UPDATE action SET state = 2 WHERE task = ? AND number = ?").run(id, action.number);
    statement(
        "INSERT INTO step_count(task, state, steps) VALUES(?, ?, 1) "
        "ON CONFLICT(task, state) DO UPDATE SET steps = steps + 1")
        .run(id, state);
    add_record(id, {0, RecordType::Step, state, action.path, message});
}

void Ledger::record_issue(TaskId id, RecordState state, const std::string& message) {
    add_record(id, {0, RecordType::Issue, state, "", message});
}

void Ledger::record_done(TaskId id, RecordState state, const std::string& message, Outcome outcome) {
    add_record(id, {0, RecordType::Done, state, "", message});
    end(id, outcome, outcome == Outcome::Completed ? "" : message);
}

std::map<RecordState, std::uint64_t> Ledger::step_counts(TaskId id) {
    std::map<RecordState, std::uint64_t> counts;
    statement("SELECT state, steps FROM step_count WHERE task = ?")
        .each(
            [&](Row row) {
                counts[row.number<RecordState>(0)] = row.number<std::uint64_t>(1);
                return true;
            },
            id);
    return counts;
}

Ledger::Records Ledger::records_after(TaskId id, std::uint64_t last_id, std::size_t budget, std::size_t limit) {
    Records found;
    std::size_t cost = 0;
    statement("SELECT id, type, state, file, message FROM record WHERE task = ? AND id > ? ORDER BY id")
        .each(
            [&](Row row) {
                Record record{row.number<std::uint64_t>(0), row.number<RecordType>(1), row.number<RecordState>(2),
                              row.bytes(3), row.bytes(4)};
                cost += cost_in_json(record.file) + cost_in_json(record.message) + 64;
                found.cut = cost > budget || found.records.size() >= limit;
                if (!found.cut) found.records.push_back(std::move(record));
                return !found.cut;
            },
            id, last_id);
    return found;
}

std::optional<TaskId> Ledger::queue_restoration(AccountId account, const std::vector<std::string>& ids, Action action) {
    const auto id = insert_task(account, TaskKind::Restoration, ScanType::Home);
    if (!id) return std::nullopt;
    auto& insert = statement(
        "INSERT INTO action(task, number, path, action, listed, state, opaque, device, inode, size, mtime_ns, sha256, "
        "virus, metadata) VALUES(?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)");
    std::uint64_t number = 0;
    for (const auto& opaque : ids) {
        auto known = quarantine_.find(account, opaque);
        PlannedAction file = known ? *std::move(known) : PlannedAction{};
        insert.run(*id, ++number, file.path, action, file.listed, opaque, file.identity.device, file.identity.inode,
                   file.identity.size, file.identity.mtime_ns, file.sha256, file.virus, packed(file.metadata));
    }
    return id;
}

std::vector<ChangedFile> Ledger::changed_files(TaskId id) {
    std::vector<ChangedFile> files;
    // Each action has one record, of the same number.
    statement(
        "SELECT opaque, path, record.id IS NOT NULL, record.state, record.message FROM action "
        "LEFT JOIN record ON record.task = action.task AND record.id = action.number "
        "WHERE action.task = ? ORDER BY number")
        .each(
            [&](Row row) {
                files.push_back(
                    {row.bytes(0), row.bytes(1), row.number(2) != 0, row.number<RecordState>(3), row.bytes(4)});
                return true;
            },
            id);
    return files;
}

void Ledger::leave_list(AccountId account, const std::string& path) {
    mark_gone(account, path, true);
}

void Ledger::return_to_list(AccountId account, const std::string& path) {
    mark_gone(account, path, false);
}

void Ledger::mark_gone(AccountId account, const std::string& path, bool gone) {
    database_.write();
    statement(
        "UPDATE find SET gone = ? WHERE path = ? AND verdict = 1 AND "
        "task = (SELECT max(id) FROM task WHERE account = ? AND kind = 0)")
        .run(gone, path, account);
}

bool Ledger::prune(std::int64_t forget_before_ms, std::int64_t forget_before_running_ms) {
    const TaskId old = statement("SELECT id FROM task WHERE pruned = 1 ORDER BY id LIMIT 1").number().value_or(0);
    if (old == 0) return forget_tasks_before(forget_before_ms, forget_before_running_ms);
    write(old);
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

std::string task_name(const Task& task) {
    char name[24];
    std::snprintf(name, sizeof name, "%08x/%014llx", static_cast<unsigned>(task.id & 0xffffffff),
                  static_cast<unsigned long long>(task.created_ms) & 0xffffffffffffffULL);
    return name;
}

}  // namespace clamscanner
