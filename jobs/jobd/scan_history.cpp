#include "jobs/jobd/scan_history.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "auth/base/checked.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/uuid.h"

namespace clamscanner {
namespace {

constexpr std::uint64_t system_mark = 1ULL << 63;
constexpr std::size_t digits = 16;

// The creation time and the number, which is unique among scans.
std::string task_id(std::int64_t created_ms, std::int64_t number, bool system) {
    char text[2 * digits + 1];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(created_ms),
                  static_cast<unsigned long long>(number) | (system ? system_mark : 0));
    return text;
}

// 0, which is no scan's number, if the text is not such an id.
std::int64_t number_of(const std::string& id, bool system) {
    std::uint64_t number = 0;
    const char* const end = id.data() + id.size();
    if (id.size() != 2 * digits || std::from_chars(id.data() + digits, end, number, 16).ptr != end) return 0;
    if (((number & system_mark) != 0) != system) return 0;
    return static_cast<std::int64_t>(number & ~system_mark);
}

std::uint32_t percent_of(std::uint64_t part, std::uint64_t whole) {
    // Rounded down, and at most 99: 100 means that the scan has ended.
    return whole == 0 ? 0 : static_cast<std::uint32_t>(std::min<std::uint64_t>(part * 100 / whole, 99));
}

bool is_wanted(const ScanTask& task, const ScanFilter& filter) {
    return (filter.task_id.empty() || task.id == filter.task_id) &&
           (filter.phases >> static_cast<unsigned>(task.phase) & 1) != 0 && task.created_ms >= filter.created_from_ms &&
           (task.ended_ms == 0 || task.ended_ms <= filter.ended_until_ms);
}

// The values of ScanPhase. A task that has begun counts as running even while it waits for its next turn.
#define PHASE "(CASE WHEN state = 2 THEN CASE outcome WHEN 1 THEN 2 ELSE 3 END WHEN starts > 0 THEN 1 ELSE 0 END)"
// What the scanner itself did not get done: TimeLimit and ScannerFailed. (A file that its owner has made unreadable,
// encrypted or too large says nothing about the scan.)
#define PROVES_NOTHING                                                                                       \
    "(embedded OR EXISTS (SELECT 1 FROM unscanned_count WHERE unscanned_count.task = task.id AND reason IN " \
    "(3, 7) AND files > 0))"
#define SCAN_COLUMNS                                     \
    "task.id, created_ms, coalesce(ended_ms, 0), " PHASE \
    ", scan_type, origin, walked, scanned_files, "       \
    "total_files, infected_files, risk, account.home, " PROVES_NOTHING
#define SCANS                                                                                         \
    " FROM task JOIN account ON account.id = account WHERE kind = 0 AND (?1 = 2 OR origin = ?1) AND " \
    "(?2 >> " PHASE " & 1) = 1 AND created_ms >= ?3 AND coalesce(ended_ms, 0) <= ?4 AND (?5 < 0 OR task.id = ?5)"
#define OF_ACCOUNT " AND account = ?6"
#define A_PAGE " ORDER BY task.id DESC LIMIT ?7 OFFSET ?8"

}  // namespace

ScanHistory::ScanHistory(Ledger& ledger, const Settings& settings)
    : ledger_(ledger), database_(ledger.database()), settings_(settings) {
    const auto read = [&] {
        statement("SELECT uuid FROM host").each([&](Row row) {
            uuid_ = row.bytes(0);
            return false;
        });
        return !uuid_.empty();
    };
    if (read()) return;
    uuid_ = random_uuid();
    database_.write();
    statement("INSERT INTO host(uuid) VALUES(?)").run(uuid_);
}

Host ScanHistory::host() {
    std::array<char, 256> name{};
    checked(::gethostname(name.data(), name.size() - 1), "ask for the host's name");
    return {name.data(), uuid_};
}

bool ScanHistory::host_was_scanned() {
    return statement("SELECT 1 FROM system_scan LIMIT 1").number().has_value();
}

// ---- Past scans -----------------------------------------------------------------------------------------------------

ScanTask ScanHistory::read_scan(const Row& row) const {
    ScanTask task;
    task.created_ms = row.number(1);
    task.id = task_id(task.created_ms, row.number(0), false);
    task.ended_ms = row.number(2);
    task.phase = row.number<ScanPhase>(3);
    task.system = row.number(5) != 0;
    if (!task.system) {
        const auto& directory = settings_.scan_of(row.number<ScanType>(4)).directory;
        task.paths = {path_in(row.bytes(11), directory)};
    }
    if (task.ended_ms != 0)
        task.percent = 100;
    else if (row.number(6) != 0)
        task.percent = percent_of(row.number<std::uint64_t>(7), row.number<std::uint64_t>(8));
    task.infected_files = row.number<std::uint64_t>(9);
    task.risk = row.number<RiskLevel>(10);
    task.proves_nothing = row.number(12) != 0;
    return task;
}

std::vector<ScanTask> ScanHistory::scans(Scope scope, const ScanFilter& filter, std::uint64_t offset,
                                         std::uint64_t limit) {
    const auto number = filter.task_id.empty() ? -1 : number_of(filter.task_id, false);
    auto& page =
        statement(scope.host ? "SELECT " SCAN_COLUMNS SCANS A_PAGE : "SELECT " SCAN_COLUMNS SCANS OF_ACCOUNT A_PAGE);
    std::vector<ScanTask> found;
    const auto take = [&](Row row) {
        auto task = read_scan(row);
        if (filter.task_id.empty() || task.id == filter.task_id) found.push_back(std::move(task));
        return true;
    };
    page.each(take, filter.system, filter.phases, filter.created_from_ms, filter.ended_until_ms, number,
              scope.host ? -1 : scope.account, limit, offset);
    return found;
}

std::uint64_t ScanHistory::count_scans(Scope scope, const ScanFilter& filter) {
    // An id matches one scan or none.
    if (!filter.task_id.empty()) return scans(scope, filter, 0, 1).size();
    constexpr std::int64_t any = -1;
    const auto count = [&](const char* sql, const auto&... account) {
        return statement(sql).number(filter.system, filter.phases, filter.created_from_ms, filter.ended_until_ms, any,
                                     account...);
    };
    const auto total =
        scope.host ? count("SELECT count(*)" SCANS) : count("SELECT count(*)" SCANS OF_ACCOUNT, scope.account);
    return static_cast<std::uint64_t>(total.value_or(0));
}

ScanTask ScanHistory::read_system_scan(const Row& row) {
    ScanTask task;
    task.system = true;
    task.created_ms = row.number(1);
    task.id = task_id(task.created_ms, row.number(0), true);
    task.ended_ms = row.number(2);
    if (task.ended_ms != 0) {
        task.phase = row.number(3) != 0 ? ScanPhase::Completed : ScanPhase::EndedEarly;
        task.percent = 100;
        task.infected_files = row.number<std::uint64_t>(4);
        task.risk = row.number<RiskLevel>(5);
        task.proves_nothing = row.number(6) != 0;
        return task;
    }
    // Each account has the same weight: the amount of files is not known before all homes have been walked.
    const auto accounts = static_cast<std::uint64_t>(
        statement("SELECT count(*) FROM system_scan_account WHERE scan = ?").number(row.number(0)).value_or(0));
    statement(
        "SELECT coalesce(sum(infected_files), 0), coalesce(max(risk), 0), coalesce(sum(starts > 0), 0), "
        "coalesce(sum(CASE WHEN state = 2 THEN 1000 WHEN walked AND total_files > 0 THEN "
        "1000 * scanned_files / total_files ELSE 0 END), 0) FROM task WHERE system_scan = ?")
        .each(
            [&](Row jobs) {
                task.infected_files = jobs.number<std::uint64_t>(0);
                task.risk = jobs.number<RiskLevel>(1);
                task.phase = jobs.number(2) > 0 ? ScanPhase::Running : ScanPhase::Queued;
                task.percent = percent_of(jobs.number<std::uint64_t>(3), accounts * 1000);
                return false;
            },
            row.number(0));
    return task;
}

void ScanHistory::each_system_scan(std::int64_t created_from_ms, const std::function<bool(ScanTask)>& take) {
    statement(
        "SELECT id, created_ms, coalesce(ended_ms, 0), completed, infected_files, risk, proves_nothing FROM "
        "system_scan "
        "WHERE created_ms >= ? ORDER BY id DESC")
        .each([&](Row row) { return take(read_system_scan(row)); }, created_from_ms);
}

ScanTasks ScanHistory::system_scans(const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit) {
    ScanTasks found{host(), 0, {}};
    if (filter.system == 0) return found;
    // There are few of them, as only the administrator starts them.
    each_system_scan(filter.created_from_ms, [&](ScanTask task) {
        if (!is_wanted(task, filter)) return true;
        if (found.total >= offset && found.tasks.size() < limit) found.tasks.push_back(std::move(task));
        ++found.total;
        return true;
    });
    return found;
}

ScanStatistics ScanHistory::statistics(Scope scope) {
    std::vector<ScanTask> found;
    const auto take_first = [&](ScanTask task) {
        found.push_back(std::move(task));
        return false;
    };
    if (scope.host) each_system_scan(0, take_first);
    if (found.empty()) found = scans(scope, {}, 0, 1);
    ScanStatistics statistics;
    statistics.host = host();
    statistics.ever_scanned = !found.empty();
    if (statistics.ever_scanned) statistics.latest = std::move(found.front());
    return statistics;
}

ScanTasks ScanHistory::tasks(Scope scope, const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit) {
    if (scope.host && host_was_scanned()) return system_scans(filter, offset, limit);
    return {host(), count_scans(scope, filter), scans(scope, filter, offset, limit)};
}

ScanEvents ScanHistory::events(Scope scope, std::uint64_t offset, std::uint64_t limit, std::size_t budget) {
    const auto latest = statistics(scope);
    ScanEvents events;
    events.host = latest.host;
    if (!latest.ever_scanned) return events;
    events.total = latest.latest.infected_files;
    const bool system = scope.host && host_was_scanned();
    auto& page = statement(
        system
            ? "SELECT find.id, path, virus, found_ms FROM find JOIN task ON task.id = task WHERE system_scan = ? AND "
              "verdict = 1 ORDER BY find.id LIMIT ? OFFSET ?"
            : "SELECT id, path, virus, found_ms FROM find WHERE task = ? AND verdict = 1 ORDER BY id LIMIT ? "
              "OFFSET ?");
    std::size_t cost = 0;
    page.each(
        [&](Row row) {
            ScanEvent event{row.number<std::uint64_t>(0), row.bytes(1), row.bytes(2), row.number(3)};
            cost += cost_in_json(event.path) + cost_in_json(event.virus);
            if (cost > budget) return false;
            events.events.push_back(std::move(event));
            return true;
        },
        number_of(latest.latest.id, system), limit, offset);
    return events;
}

// ---- System scans --------------------------------------------------------------------------------------------------

std::optional<ScanHistory::SystemScanId> ScanHistory::begin_system_scan(const std::vector<uid_t>& accounts) {
    if (open_system_scan()) return std::nullopt;
    database_.write();
    statement("INSERT INTO system_scan(created_ms, created_running_ms, accounts) VALUES(?, ?, ?)")
        .run(now_ms(), ledger_.running_time().now(), accounts.size());
    const SystemScanId scan = database_.last_row();
    // Prunes the jobs of earlier system scans, unless they are still the last scan of their account that has ended.
    statement(
        "UPDATE task INDEXED BY unpruned_jobs SET pruned = 1 WHERE system_scan < ? AND pruned = 0 AND id < (SELECT "
        "max(newer.id) FROM task "
        "AS newer WHERE newer.account = task.account AND newer.kind = 0 AND newer.state = 2)")
        .run(scan);
    auto& insert = statement("INSERT OR IGNORE INTO system_scan_account(scan, uid) VALUES(?, ?)");
    for (const uid_t uid : accounts) insert.run(scan, uid);
    return scan;
}

std::optional<ScanHistory::SystemScanId> ScanHistory::open_system_scan() {
    return statement("SELECT id FROM system_scan WHERE ended_ms IS NULL").number();
}

std::vector<uid_t> ScanHistory::waiting_accounts(SystemScanId scan, uid_t after, std::size_t limit) {
    std::vector<uid_t> uids;
    statement(
        "SELECT uid FROM system_scan_account INDEXED BY waiting_accounts "
        "WHERE scan = ? AND dealt_with = 0 AND uid > ? LIMIT ?")
        .each(
            [&](Row row) {
                uids.push_back(row.number<uid_t>(0));
                return true;
            },
            scan, after, limit);
    return uids;
}

bool ScanHistory::is_waiting(SystemScanId scan, uid_t uid) {
    return statement("SELECT 1 FROM system_scan_account WHERE scan = ? AND uid = ? AND dealt_with = 0")
        .number(scan, uid)
        .has_value();
}

std::int64_t ScanHistory::begun_running_ms(SystemScanId scan) {
    return statement("SELECT created_running_ms FROM system_scan WHERE id = ?").number(scan).value_or(0);
}

void ScanHistory::settle_account(SystemScanId scan, uid_t uid, Settled how) {
    database_.write();
    statement("UPDATE system_scan_account SET dealt_with = ? WHERE scan = ? AND uid = ?").run(how, scan, uid);
}

std::optional<TaskId> ScanHistory::queue_job(SystemScanId scan, uid_t uid, AccountId account) {
    const auto id = ledger_.tasks().queue_scan(account, ScanType::Home, true);
    if (!id) return id;
    statement("UPDATE task SET system_scan = ? WHERE id = ?").run(scan, *id);
    settle_account(scan, uid, Settled::HasJob);
    return id;
}

void ScanHistory::leave_out(SystemScanId scan, uid_t uid) {
    statement("UPDATE system_scan SET left_out = left_out + 1 WHERE id = ?").run(scan);
    settle_account(scan, uid, Settled::LeftOut);
}

SystemScanProgress ScanHistory::system_scan_progress() {
    SystemScanProgress progress;
    const auto scan = statement("SELECT id FROM system_scan ORDER BY id DESC LIMIT 1").number();
    if (!scan) return progress;
    progress.ever = true;
    statement("SELECT created_ms, coalesce(ended_ms, 0), accounts, left_out FROM system_scan WHERE id = ?")
        .each(
            [&](Row row) {
                Cursor(row).into(progress.started_ms, progress.ended_ms, progress.accounts, progress.left_out);
                return false;
            },
            *scan);
    statement(
        "SELECT count(*), coalesce(sum(state = 1), 0), coalesce(sum(state = 2), 0), "
        "coalesce(sum(state = 2 AND outcome <> 1), 0), coalesce(sum(total_files), 0), coalesce(sum(scanned_files), 0), "
        "coalesce(sum(infected_files), 0), coalesce(sum(unscanned_files), 0) "
        "FROM task INDEXED BY jobs_of_system_scan WHERE system_scan = ?")
        .each(
            [&](Row row) {
                std::uint64_t queued = 0;
                Cursor(row).into(queued, progress.running, progress.ended, progress.not_completed, progress.total_files,
                                 progress.scanned_files, progress.infected_files, progress.unscanned_files);
                progress.waiting = progress.accounts - std::min(progress.accounts, queued + progress.left_out);
                return false;
            },
            *scan);
    return progress;
}

std::size_t ScanHistory::unfinished_jobs(SystemScanId scan, std::int64_t begun_since_running_ms) {
    auto& count = statement(
        "SELECT count(*) FROM task INDEXED BY open_jobs WHERE system_scan = ? AND state < 2 AND (begun_running_ms = 0 "
        "OR "
        "begun_running_ms >= ?)");
    return static_cast<std::size_t>(count.number(scan, begun_since_running_ms).value_or(0));
}

void ScanHistory::end_system_scan(SystemScanId scan) {
    database_.write();
    // Stores the sums, so that polls need not add them up again.
    statement(
        "UPDATE system_scan SET ended_ms = ?1, "
        "completed = EXISTS (SELECT 1 FROM task WHERE system_scan = ?2) AND "
        "NOT EXISTS (SELECT 1 FROM task WHERE system_scan = ?2 AND outcome <> 1) AND "
        "NOT EXISTS (SELECT 1 FROM system_scan_account WHERE scan = ?2 AND dealt_with <> 1), "
        "infected_files = (SELECT coalesce(sum(infected_files), 0) FROM task WHERE system_scan = ?2), "
        "proves_nothing = EXISTS (SELECT 1 FROM task WHERE system_scan = ?2 AND " PROVES_NOTHING
        "), "
        "risk = (SELECT coalesce(max(risk), 0) FROM task WHERE system_scan = ?2) WHERE id = ?2")
        .run(now_ms(), scan);
    statement("DELETE FROM system_scan_account WHERE scan = ?").run(scan);
}

}  // namespace clamscanner
