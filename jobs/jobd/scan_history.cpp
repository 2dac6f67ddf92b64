#include "jobs/jobd/scan_history.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "auth/base/checked.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/jobd/scan_sql.h"
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

// Scans are counted in blocks of this many numbers (ledger_database.cpp).
constexpr std::int64_t block_bits = 10;

#define SCAN_COLUMNS \
    "task.id, created_ms, coalesce(ended_ms, 0), " PHASE_OF("task") ", scan_type, origin, walked, "       \
    "scanned_files, total_files, infected_files, CASE infected_files WHEN 0 THEN 0 ELSE risk END, "       \
    "account.home, " PROVES_NOTHING("task")
#define WANTED \
    "kind = 0 AND (?1 = 2 OR origin = ?1) AND (?2 >> " PHASE_OF("task") " & 1) = 1 " \
    "AND created_ms >= ?3 AND coalesce(ended_ms, 0) <= ?4 "
// The rows of one block.
#define OF_HOST "task.id >= ?5 AND task.id < ?6 AND ?7 = 0 "
#define OF_ACCOUNT "account = ?7 AND number >= ?5 AND number < ?6 "
#define OWN_SCANS "task INDEXED BY scans_of_account"
#define COUNT_IN(tasks, block) "SELECT count(*) FROM " tasks " WHERE " WANTED "AND " block
#define PAGE_OF(tasks, block, number)                                                                              \
    "SELECT " SCAN_COLUMNS " FROM " tasks " CROSS JOIN account ON account.id = account WHERE " WANTED "AND " block \
    "ORDER BY " number " DESC LIMIT ?8 OFFSET ?9"

}  // namespace

const std::string& ScanHistory::uuid() {
    statement<"SELECT uuid FROM host">().each([&](Row row) {
        uuid_ = row.bytes(0);
        return false;
    });
    if (!uuid_.empty()) return uuid_;
    database_.write();
    uuid_ = random_uuid();
    statement<"INSERT INTO host(uuid) VALUES(?)">().run(uuid_);
    return uuid_;
}

Host ScanHistory::host() {
    std::array<char, 256> name{};
    checked(::gethostname(name.data(), name.size() - 1), "ask for the host's name");
    return {name.data(), uuid_.empty() ? uuid() : uuid_};
}

bool ScanHistory::host_was_scanned() {
    return statement<"SELECT 1 FROM system_scan LIMIT 1">().number().has_value();
}

// ---- Past scans -----------------------------------------------------------------------------------------------------

ScanTask ScanHistory::read_scan(const Row& row) const {
    ScanTask task;
    std::int64_t number = 0;
    ScanType type{};
    bool walked = false;
    std::uint64_t scanned_files = 0;
    std::uint64_t total_files = 0;
    std::string home;
    Cursor(row).into(number, task.created_ms, task.ended_ms, task.phase, type, task.system, walked, scanned_files,
                     total_files, task.infected_files, task.risk, home, task.proves_nothing);
    task.id = task_id(task.created_ms, number, false);
    if (!task.system) task.paths = {path_in(home, settings_.scan_of(type).directory)};
    if (task.ended_ms != 0)
        task.percent = 100;
    else if (walked)
        task.percent = percent_of(scanned_files, total_files);
    return task;
}

// By the counts alone, where they tell; else the scans of the block must be looked at.
std::vector<ScanHistory::Block> ScanHistory::blocks(Scope scope, const ScanFilter& filter) {
    std::vector<Block> found;
    const auto take = [&](Row row) {
        std::int64_t number = 0;
        std::uint8_t origin = 0;
        unsigned phase = 0;
        std::uint64_t scans = 0;
        std::int64_t first_created = 0;
        std::int64_t last_created = 0;
        std::int64_t first_ended = 0;
        std::int64_t last_ended = 0;
        Cursor(row).into(number, origin, phase, scans, first_created, last_created, first_ended, last_ended);
        if (filter.system != 2 && filter.system != origin) return true;
        if ((filter.phases >> phase & 1) == 0) return true;
        if (last_created < filter.created_from_ms || first_ended > filter.ended_until_ms) return true;
        if (found.empty() || found.back().number != number) found.push_back({number, 0, true});
        found.back().scans += scans;
        found.back().counted &= first_created >= filter.created_from_ms && last_ended <= filter.ended_until_ms;
        return true;
    };
    statement<
        "SELECT block, origin, phase, scans, first_created_ms, last_created_ms, first_ended_ms, "
        "last_ended_ms FROM scan_count "
        "WHERE account = ? ORDER BY block DESC">()
        .each(take, scope.host ? 0 : scope.account);
    return found;
}

std::uint64_t ScanHistory::count_in(Scope scope, const ScanFilter& filter, const Block& block) {
    if (block.counted) return block.scans;
    auto& count = scope.host ? statement<COUNT_IN("task", OF_HOST)>() : statement<COUNT_IN(OWN_SCANS, OF_ACCOUNT)>();
    return static_cast<std::uint64_t>(count
                                          .number(filter.system, filter.phases, filter.created_from_ms,
                                                  filter.ended_until_ms, block.number << block_bits,
                                                  (block.number + 1) << block_bits, scope.host ? 0 : scope.account)
                                          .value_or(0));
}

void ScanHistory::add_page(Scope scope, const ScanFilter& filter, const Block& block, std::uint64_t offset,
                           std::uint64_t limit, std::vector<ScanTask>& page) {
    auto& rows = scope.host ? statement<PAGE_OF("task", OF_HOST, "task.id")>()
                            : statement<PAGE_OF(OWN_SCANS, OF_ACCOUNT, "number")>();
    rows.each(
        [&](Row row) {
            page.push_back(read_scan(row));
            return true;
        },
        filter.system, filter.phases, filter.created_from_ms, filter.ended_until_ms, block.number << block_bits,
        (block.number + 1) << block_bits, scope.host ? 0 : scope.account, limit, offset);
}

std::optional<ScanTask> ScanHistory::scan(Scope scope, const std::string& id) {
    auto found = statement<"SELECT " SCAN_COLUMNS
                           " FROM task CROSS JOIN account ON account.id = account "
                           "WHERE task.id = ? AND kind = 0 AND (? OR account = ?)">()
                     .first([&](Row row) { return read_scan(row); }, number_of(id, false), scope.host, scope.account);
    return found && found->id == id ? found : std::nullopt;
}

ScanTasks ScanHistory::scans(Scope scope, const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit) {
    ScanTasks found{host(), 0, {}};
    if (!filter.task_id.empty()) {
        auto one = scan(scope, filter.task_id);
        const bool is_one =
            one && is_wanted(*one, filter) && (filter.system == 2 || one->system == (filter.system == 1));
        if (is_one) found.total = 1;
        if (is_one && offset == 0 && limit > 0) found.tasks.push_back(*std::move(one));
        return found;
    }
    for (const auto& block : blocks(scope, filter)) {
        const auto scans = count_in(scope, filter, block);
        const auto skipped = offset > found.total ? offset - found.total : 0;
        found.total += scans;
        if (found.tasks.size() < limit && skipped < scans)
            add_page(scope, filter, block, skipped, limit - found.tasks.size(), found.tasks);
    }
    return found;
}

ScanTask ScanHistory::read_system_scan(const Row& row) {
    ScanTask task;
    task.system = true;
    std::int64_t number = 0;
    bool completed = false;
    std::uint64_t accounts = 0;
    std::uint64_t jobs = 0;
    Cursor(row).into(number, task.created_ms, task.ended_ms, completed, accounts, jobs, task.infected_files, task.risk,
                     task.proves_nothing);
    task.id = task_id(task.created_ms, number, true);
    if (task.ended_ms != 0) {
        task.phase = completed ? ScanPhase::Completed : ScanPhase::EndedEarly;
        task.percent = 100;
        return task;
    }
    add_open_jobs(number, accounts, jobs, task);
    return task;
}

// Each account has the same weight: the amount of files is not known before all homes have been walked.
void ScanHistory::add_open_jobs(SystemScanId scan, std::uint64_t accounts, std::uint64_t ended, ScanTask& task) {
    task.proves_nothing = false;
    statement<
        "SELECT coalesce(sum(infected_files), 0), coalesce(max(risk), 0), coalesce(sum(starts > 0), 0), "
        "coalesce(sum(CASE WHEN walked AND total_files > 0 THEN 1000 * scanned_files / total_files ELSE 0 END), "
        "0) FROM task INDEXED BY open_jobs WHERE system_scan = ? AND state < 2">()
        .each(
            [&](Row jobs) {
                task.infected_files += jobs.number<std::uint64_t>(0);
                task.risk = std::max(task.risk, jobs.number<RiskLevel>(1));
                task.phase = ended > 0 || jobs.number(2) > 0 ? ScanPhase::Running : ScanPhase::Queued;
                task.percent = percent_of(1000 * ended + jobs.number<std::uint64_t>(3), accounts * 1000);
                return false;
            },
            scan);
}

void ScanHistory::each_system_scan(std::int64_t created_from_ms, const std::function<bool(ScanTask)>& take) {
    statement<
        "SELECT id, created_ms, coalesce(ended_ms, 0), jobs > 0 AND incomplete = 0 AND left_out = 0, accounts, "
        "jobs, infected_files, CASE infected_files WHEN 0 THEN 0 ELSE risk END, proves_nothing FROM system_scan WHERE "
        "created_ms >= ? ORDER BY id DESC">()
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

std::optional<ScanTask> ScanHistory::latest(Scope scope) {
    std::vector<ScanTask> found;
    if (scope.host)
        each_system_scan(0, [&](ScanTask task) {
            found.push_back(std::move(task));
            return false;
        });
    if (found.empty()) {
        const auto all = blocks(scope, {});
        if (!all.empty()) add_page(scope, {}, all.front(), 0, 1, found);
    }
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

ScanStatistics ScanHistory::statistics(Scope scope) {
    ScanStatistics statistics;
    statistics.host = host();
    auto found = latest(scope);
    statistics.ever_scanned = found.has_value();
    if (found) statistics.latest = *std::move(found);
    return statistics;
}

ScanTasks ScanHistory::tasks(Scope scope, const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit) {
    if (scope.host && host_was_scanned()) return system_scans(filter, offset, limit);
    return scans(scope, filter, offset, limit);
}

// One job after another: how many finds each has is known without passing them.
ScanEvents ScanHistory::events(Scope scope, std::uint64_t offset, std::uint64_t limit, std::size_t budget) {
    ScanEvents events;
    events.host = host();
    const auto scan = latest(scope);
    if (!scan) return events;
    events.total = scan->infected_files;
    const bool system = scope.host && host_was_scanned();
    const auto number = number_of(scan->id, system);
    if (!system) {
        static_cast<void>(add_events(number, offset, limit, budget, events.events));
        return events;
    }
    statement<
        "SELECT id, infected_files FROM task INDEXED BY infected_jobs "
        "WHERE system_scan = ? AND infected_files > 0 ORDER BY id">()
        .each(
            [&](Row job) {
                const auto finds = job.number<std::uint64_t>(1);
                const bool is_before = offset >= finds;
                if (is_before) offset -= finds;
                return is_before || add_events(job.number(0), std::exchange(offset, 0), limit, budget, events.events);
            },
            number);
    return events;
}

// False if the page is full.
bool ScanHistory::add_events(TaskId task, std::uint64_t offset, std::uint64_t limit, std::size_t& budget,
                             std::vector<ScanEvent>& events) {
    bool full = false;
    statement<
        "SELECT id, path, virus, found_ms FROM find INDEXED BY infected_in_order "
        "WHERE task = ? AND verdict = 1 AND number > ? ORDER BY number">()
        .each(
            [&](Row row) {
                ScanEvent event;
                Cursor(row).into(event.id, event.path, event.virus, event.found_ms);
                const auto cost = cost_in_json(event.path) + cost_in_json(event.virus);
                full = events.size() >= limit || cost > budget;
                if (full) return false;
                budget -= cost;
                events.push_back(std::move(event));
                return true;
            },
            task, offset);
    return !full;
}

// ---- System scans --------------------------------------------------------------------------------------------------

std::optional<ScanHistory::SystemScanId> ScanHistory::begin_system_scan(const std::vector<uid_t>& accounts) {
    if (open_system_scan()) return std::nullopt;
    database_.write();
    statement<"INSERT INTO system_scan(created_ms, created_running_ms) VALUES(?, ?)">().run(
        now_ms(), ledger_.running_time().now());
    const SystemScanId scan = database_.last_row();
    auto& insert = statement<"INSERT OR IGNORE INTO system_scan_account(scan, uid) VALUES(?, ?)">();
    std::int64_t inserted = 0;
    for (const uid_t uid : accounts) {
        insert.run(scan, uid);
        inserted += database_.changed_rows();
    }
    statement<"UPDATE system_scan SET accounts = ? WHERE id = ?">().run(inserted, scan);
    return scan;
}

std::optional<ScanHistory::SystemScanId> ScanHistory::open_system_scan() {
    return statement<"SELECT id FROM system_scan WHERE ended_ms IS NULL">().number();
}

std::vector<uid_t> ScanHistory::waiting_accounts(SystemScanId scan, uid_t after, std::size_t limit) {
    std::vector<uid_t> uids;
    statement<
        "SELECT uid FROM system_scan_account INDEXED BY waiting_accounts "
        "WHERE scan = ? AND dealt_with = 0 AND uid > ? LIMIT ?">()
        .each(
            [&](Row row) {
                uids.push_back(row.number<uid_t>(0));
                return true;
            },
            scan, after, limit);
    return uids;
}

bool ScanHistory::is_waiting(SystemScanId scan, uid_t uid) {
    return statement<"SELECT 1 FROM system_scan_account WHERE scan = ? AND uid = ? AND dealt_with = 0">()
        .number(scan, uid)
        .has_value();
}

std::int64_t ScanHistory::begun_running_ms(SystemScanId scan) {
    return statement<"SELECT created_running_ms FROM system_scan WHERE id = ?">().number(scan).value_or(0);
}

void ScanHistory::settle_account(SystemScanId scan, uid_t uid, Settled how) {
    database_.write();
    statement<"UPDATE system_scan_account SET dealt_with = ? WHERE scan = ? AND uid = ?">().run(how, scan, uid);
}

std::optional<TaskId> ScanHistory::queue_job(SystemScanId scan, uid_t uid, AccountId account) {
    const auto id = ledger_.tasks().queue_scan(account, ScanType::Home, true);
    if (!id) return id;
    statement<"UPDATE task SET system_scan = ? WHERE id = ?">().run(scan, *id);
    ledger_.history().inherit_asker(*id, scan);
    settle_account(scan, uid, Settled::HasJob);
    return id;
}

void ScanHistory::leave_out(SystemScanId scan, uid_t uid) {
    settle_account(scan, uid, Settled::LeftOut);
    statement<"UPDATE system_scan SET left_out = left_out + 1 WHERE id = ?">().run(scan);
}

void ScanHistory::leave_out_waiting(SystemScanId scan) {
    database_.write();
    statement<"UPDATE system_scan_account SET dealt_with = ? WHERE scan = ? AND dealt_with = 0">().run(Settled::LeftOut,
                                                                                                       scan);
    const auto left_out = database_.changed_rows();
    statement<"UPDATE system_scan SET left_out = left_out + ? WHERE id = ?">().run(left_out, scan);
}

void ScanHistory::mark_cancelled(SystemScanId scan) {
    database_.write();
    statement<"INSERT OR IGNORE INTO cancelled_system_scan(scan) VALUES(?)">().run(scan);
}

#define OPEN_JOBS "FROM task INDEXED BY open_jobs WHERE system_scan = ?1 AND state < 2"

std::vector<TaskId> ScanHistory::open_jobs(SystemScanId scan) {
    std::vector<TaskId> jobs;
    statement<"SELECT id " OPEN_JOBS>().each(
        [&](Row row) {
            jobs.push_back(row.number(0));
            return true;
        },
        scan);
    return jobs;
}

SystemScanProgress ScanHistory::system_scan_progress() {
    SystemScanProgress progress;
    SystemScanId scan = 0;
    statement<
        "SELECT id, created_ms, coalesce(ended_ms, 0), accounts, left_out, jobs, incomplete, total_files, "
        "scanned_files, infected_files, ignored_files, unscanned_files FROM system_scan ORDER BY id DESC LIMIT 1">()
        .each([&](Row row) {
            progress.ever = true;
            Cursor(row).into(scan, progress.started_ms, progress.ended_ms, progress.accounts, progress.left_out,
                             progress.ended, progress.not_completed, progress.total_files, progress.scanned_files,
                             progress.infected_files, progress.ignored_files, progress.unscanned_files);
            return false;
        });
    if (!progress.ever) return progress;
    progress.id = static_cast<std::uint64_t>(scan);
    progress.cancelled = statement<"SELECT 1 FROM cancelled_system_scan WHERE scan = ?">().number(scan).has_value();
    statement<"SELECT reason, files FROM system_scan_unscanned WHERE scan = ? AND files > 0">().each(
        [&](Row row) {
            progress.by_reason.push_back({row.number<UnscannedReason>(0), row.number<std::uint64_t>(1)});
            return true;
        },
        scan);
    add_open_jobs(scan, progress);
    return progress;
}

void ScanHistory::add_open_jobs(SystemScanId scan, SystemScanProgress& progress) {
    statement<
        "SELECT count(*), coalesce(sum(state = 1), 0), coalesce(sum(total_files), 0), "
        "coalesce(sum(scanned_files), 0), coalesce(sum(infected_files), 0), coalesce(sum(ignored_files), 0), "
        "coalesce(sum(" UNSCANNED_FILES("task") "), 0) " OPEN_JOBS>()
        .each(
            [&](Row row) {
                std::uint64_t open = 0;
                std::uint64_t total = 0;
                std::uint64_t scanned = 0;
                std::uint64_t infected = 0;
                std::uint64_t ignored = 0;
                std::uint64_t unscanned = 0;
                Cursor(row).into(open, progress.running, total, scanned, infected, ignored, unscanned);
                progress.total_files += total;
                progress.scanned_files += scanned;
                progress.infected_files += infected;
                progress.ignored_files += ignored;
                progress.unscanned_files += unscanned;
                const auto dealt_with = open + progress.ended + progress.left_out;
                progress.waiting = progress.accounts - std::min(progress.accounts, dealt_with);
                return false;
            },
            scan);
}

std::size_t ScanHistory::unfinished_jobs(SystemScanId scan, std::int64_t begun_since_running_ms) {
    const auto jobs =
        statement<"SELECT (SELECT count(*) " OPEN_JOBS " AND begun_running_ms = 0) + (SELECT count(*) " OPEN_JOBS
                  " AND begun_running_ms >= ?2)">()
            .number(scan, std::max<std::int64_t>(begun_since_running_ms, 1));
    return static_cast<std::size_t>(jobs.value_or(0));
}

bool ScanHistory::has_unfinished_jobs(SystemScanId scan) {
    return statement<"SELECT 1 " OPEN_JOBS " LIMIT 1">().number(scan).has_value();
}

void ScanHistory::end_system_scan(SystemScanId scan) {
    database_.write();
    statement<"UPDATE system_scan SET ended_ms = ? WHERE id = ?">().run(now_ms(), scan);
}

}  // namespace clamscanner
