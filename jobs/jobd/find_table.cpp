#include "jobs/jobd/find_table.h"

#include <algorithm>
#include <unordered_map>

#include "jobs/jobd/list_piece.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/paths.h"

namespace clamscanner {

#define UNSCANNED_BEYOND " FROM find INDEXED BY finds_by_place WHERE task = ? AND verdict = 2 AND place >= ?"
#define UNSCANNED_BEFORE " FROM find WHERE task = ? AND verdict = 2 AND start < ?"
#define COUNTED(rows) "SELECT reason, count(*)" rows " GROUP BY reason"

void FindTable::begin_list(TaskId id, std::uint32_t start, bool embedded_only) {
    tasks_.write(id);
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

void FindTable::forget_unsettled(TaskId id) {
    const auto settled = static_cast<std::int64_t>(tasks_.get(id).settled.files);
    forget_unscanned(id, {COUNTED(UNSCANNED_BEYOND), "DELETE" UNSCANNED_BEYOND}, settled);
}

// `bound`: the statements' second value.
void FindTable::forget_unscanned(TaskId id, const ForgetStatements& statements, std::int64_t bound) {
    tasks_.write(id);
    std::map<UnscannedReason, int> forgotten;
    statement(statements.count)
        .each(
            [&](Row row) {
                forgotten[row.number<UnscannedReason>(0)] = row.number<int>(1);
                return true;
            },
            id, bound);
    if (forgotten.empty()) return;
    for (const auto& [reason, files] : forgotten) tasks_.count_unscanned(id, reason, -files);
    statement(statements.remove).run(id, bound);
}

void FindTable::add_infected(TaskId id, std::uint32_t start, const std::string& path, const std::string& virus,
                             const std::string& sha256, bool known, std::optional<std::uint64_t> place) {
    tasks_.write(id);
    bool infected_before = false;
    bool known_before = false;  // its infection was known from an earlier scan
    statement("SELECT verdict, reason, known FROM find WHERE task = ? AND path = ?")
        .each(
            [&](Row row) {
                infected_before = row.number(0) == 1;
                known_before = infected_before && row.number(2) != 0;
                if (!infected_before) tasks_.count_unscanned(id, row.number<UnscannedReason>(1), -1);
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

void FindTable::add_unscanned(TaskId id, std::uint32_t start, const std::string& path, UnscannedReason reason,
                              std::optional<std::uint64_t> place) {
    tasks_.write(id);
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
    if (unscanned_before) tasks_.count_unscanned(id, reason_before, -1);
    tasks_.count_unscanned(id, reason, 1);
    statement(
        "INSERT INTO find(task, path, verdict, virus, reason, start, place) VALUES(?, ?, 2, x'', ?, ?, nullif(?, -1)) "
        "ON CONFLICT(task, path) DO UPDATE SET reason = excluded.reason, start = excluded.start, "
        "place = excluded.place")
        .run(id, path, reason, start, place ? static_cast<std::int64_t>(*place) : -1);
}

void FindTable::complete_scan(TaskId id, std::uint32_t walk_start, std::uint64_t total_files, std::uint64_t clean_files,
                              std::uint64_t known_files) {
    if (walk_start > 1) forget_unscanned(id, {COUNTED(UNSCANNED_BEFORE), "DELETE" UNSCANNED_BEFORE}, walk_start);
    tasks_.write(id);
    statement(
        "UPDATE task SET clean_files = ?, known_files = ?, total_files = max(total_files, ?, ? + infected_files + "
        "unscanned_files), total_bytes = max(total_bytes, scanned_bytes) WHERE id = ?")
        .run(clean_files, known_files, total_files, clean_files, id);
    statement("UPDATE task SET scanned_files = total_files WHERE id = ?").run(id);
    tasks_.end(id, Outcome::Completed, "");
}

std::map<std::string, FindTable::EarlierFind> FindTable::earlier_finds(const Task& scan) {
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
    if (const auto before = tasks_.before(scan))
        statement(
            "SELECT id, path, virus FROM find INDEXED BY listed_finds WHERE task = ? AND verdict = 1 AND gone = 0")
            .each(take(false), *before);
    return finds;
}

void FindTable::keep_find(TaskId id, const EarlierFind& find, std::optional<std::uint64_t> place) {
    tasks_.write(id);
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

void FindTable::end_unfinished(TaskId id, Outcome outcome, const std::string& why, std::uint64_t listed) {
    tasks_.write(id);
    const auto settled = tasks_.get(id).settled.files;
    const auto beyond = statement("SELECT count(*) FROM find INDEXED BY finds_by_place WHERE task = ? AND place >= ?")
                            .number(id, settled)
                            .value_or(0);
    const auto unreached = static_cast<std::int64_t>(listed) - static_cast<std::int64_t>(settled) - beyond;
    if (unreached > 0)
        tasks_.count_unscanned(
            id, outcome == Outcome::Cancelled ? UnscannedReason::Cancelled : UnscannedReason::EndedEarly, unreached);
    statement(
        "UPDATE task SET clean_files = settled_clean, known_files = settled_known, "
        "total_files = settled_clean + infected_files + unscanned_files, "
        "scanned_files = settled_clean + infected_files + unscanned_files WHERE id = ?")
        .run(id);
    tasks_.end(id, outcome, why);
}

FindTable::Paths FindTable::found_paths(TaskId id, std::size_t budget) {
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

FindTable::Listed FindTable::infected_files(TaskId id, std::int64_t after, std::size_t budget) {
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

FindTable::Unscanned FindTable::unscanned_files(TaskId id, std::int64_t after, std::size_t budget) {
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

std::set<std::string> FindTable::placed_beyond_settled(TaskId id) {
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

std::vector<FindTable::Find> FindTable::finds_after(TaskId id, std::int64_t after, std::size_t limit) {
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

std::optional<FindTable::Conflict> FindTable::resolve(AccountId account, const std::string& home,
                                                      std::vector<FileAction> asked,
                                                      std::vector<PlannedAction>& planned) {
    const auto scan = tasks_.last(account, TaskKind::Scan);
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

bool FindTable::is_listed(TaskId scan, const std::string& path) {
    return statement("SELECT 1 FROM find WHERE task = ? AND path = ? AND verdict = 1 AND gone = 0")
        .number(scan, path)
        .has_value();
}

std::string FindTable::found_sha256(AccountId account, const std::string& path) {
    const auto scan = tasks_.last(account, TaskKind::Scan);
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

void FindTable::leave_list(AccountId account, const std::string& path) {
    mark_gone(account, path, true);
}

void FindTable::return_to_list(AccountId account, const std::string& path) {
    mark_gone(account, path, false);
}

void FindTable::mark_gone(AccountId account, const std::string& path, bool gone) {
    database_.write();
    statement(
        "UPDATE find SET gone = ? WHERE path = ? AND verdict = 1 AND "
        "task = (SELECT max(id) FROM task WHERE account = ? AND kind = 0)")
        .run(gone, path, account);
}

}  // namespace clamscanner
