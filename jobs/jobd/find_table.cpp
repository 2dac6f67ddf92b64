#include "jobs/jobd/find_table.h"

#include <algorithm>
#include <unordered_map>

#include "jobs/jobd/change_texts.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/jobd/scan_sql.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/paths.h"

namespace clamscanner {

namespace {

// One change of this many rows takes some milliseconds.
constexpr std::int64_t rows_at_once = 200;
// With what else changes for each of these.
constexpr std::int64_t settled_at_once = 50;

// Of a find.
constexpr int infected = 1;
constexpr int ignored = 3;

}  // namespace

void FindTable::begin_list(TaskId id, std::uint32_t start, bool embedded_only) {
    tasks_.write(id);
    statement<
        "UPDATE task SET settled_files = 0, settled_bytes = 0, settled_clean = 0, settled_known = 0, "
        "list_bytes = 0, walk_unreadable = 0, embedded = ?, walk_start = ? WHERE id = ?">()
        .run(embedded_only, start, id);
}

#define UNSCANNED_BEFORE "INDEXED BY unscanned_by_start WHERE task = ?1 AND verdict = 2 AND start < ?2 LIMIT ?3"
#define UNSCANNED_BEYOND \
    "INDEXED BY unscanned_by_place WHERE task = ?1 AND verdict = 2 AND place IS NOT NULL AND place >= ?2 LIMIT ?3"

bool FindTable::forget_earlier(TaskId id, std::uint32_t start) {
    // The first start has no earlier one that could have left records.
    if (start <= 1) return false;
    if (forget_unscanned(id, statement<"SELECT reason FROM find " UNSCANNED_BEFORE>(),
                         statement<"DELETE FROM find WHERE id IN (SELECT id FROM find " UNSCANNED_BEFORE ")">(), start))
        return true;
    tasks_.write(id);
    statement<
        "UPDATE find SET place = NULL WHERE id IN (SELECT id FROM find INDEXED BY infected_by_start "
        "WHERE task = ? AND verdict = 1 AND place IS NOT NULL AND start < ? LIMIT ?)">()
        .run(id, start, rows_at_once);
    if (database_.changed_rows() > 0) return true;
    statement<
        "UPDATE find SET place = NULL WHERE id IN (SELECT id FROM find INDEXED BY ignored_by_start "
        "WHERE task = ? AND verdict = 3 AND place IS NOT NULL AND start < ? LIMIT ?)">()
        .run(id, start, rows_at_once);
    return database_.changed_rows() > 0;
}

bool FindTable::forget_unsettled(TaskId id) {
    return forget_unscanned(id, statement<"SELECT reason FROM find " UNSCANNED_BEYOND>(),
                            statement<"DELETE FROM find WHERE id IN (SELECT id FROM find " UNSCANNED_BEYOND ")">(),
                            static_cast<std::int64_t>(tasks_.get(id).settled.files));
}

// `bound`: the statements' second value.
bool FindTable::forget_unscanned(TaskId id, Statement& reasons, Statement& remove, std::int64_t bound) {
    std::map<UnscannedReason, int> forgotten;
    const auto forget = [&](Row row) {
        ++forgotten[row.number<UnscannedReason>(0)];
        return true;
    };
    if (reasons.each(forget, id, bound, rows_at_once) == 0) return false;
    for (const auto& [reason, files] : forgotten) tasks_.count_unscanned(id, reason, -files);
    remove.run(id, bound, rows_at_once);
    return true;
}

bool FindTable::add_infected(TaskId id, std::uint32_t start, const std::string& path, const std::string& virus,
                             const std::string& sha256, bool known, std::optional<std::uint64_t> place,
                             const FindFacts& facts) {
    tasks_.write(id);
    const auto owner = owner_of(id);
    const auto row = owner ? ignoring_row(*owner, {path, virus, sha256}) : std::nullopt;
    struct {
        bool infected = false;
        bool ignored = false;
        bool known = false;  // its infection was known from an earlier scan
        std::int64_t number = 0;
    } before;
    statement<"SELECT verdict, reason, known, virus, number FROM find WHERE task = ? AND path = ?">().each(
        [&](Row found) {
            before.infected = found.number(0) == infected;
            before.ignored = found.number(0) == ignored;
            const bool has_hit = before.infected || before.ignored;
            before.known = has_hit && found.number(2) != 0;
            before.number = found.number(4);
            if (has_hit)
                count_hit(id, found.bytes(3), -1);
            else
                tasks_.count_unscanned(id, found.number<UnscannedReason>(1), -1);
            return false;
        },
        id, path);
    if (before.infected && row) close_gap(id, before.number);
    constexpr std::int64_t next_number = -1;
    const auto number = row ? 0 : before.infected ? before.number : next_number;
    statement<
        "INSERT INTO find(task, path, verdict, virus, reason, sha256, start, found_ms, known, place, number, "
        "ignored_by, size, changed_ms, first_ms) SELECT id, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, nullif(?9, -1), "
        "CASE ?10 WHEN -1 THEN infected_files + 1 ELSE ?10 END, nullif(?11, 0), nullif(?12, -1), nullif(?13, 0), "
        "nullif(?14, 0) FROM task WHERE id = ?1 "
        "ON CONFLICT(task, path) DO UPDATE SET number = excluded.number, verdict = excluded.verdict, "
        "virus = excluded.virus, sha256 = excluded.sha256, start = excluded.start, "
        "found_ms = excluded.found_ms, known = excluded.known, place = excluded.place, "
        "ignored_by = excluded.ignored_by, size = excluded.size, changed_ms = excluded.changed_ms, "
        "first_ms = excluded.first_ms">()
        .run(id, path, row ? ignored : infected, virus, sha256, start, facts.found_ms != 0 ? facts.found_ms : now_ms(),
             known, place ? static_cast<std::int64_t>(*place) : -1, number, row.value_or(0), facts.size,
             facts.changed_ms, facts.first_ms);
    count_hit(id, virus, 1);
    statement<
        "UPDATE task SET infected_files = infected_files + ?, ignored_files = ignored_files + ?, "
        "known_infected = known_infected + ?, risk = max(risk, ?) WHERE id = ?">()
        .run(static_cast<int>(!row) - static_cast<int>(before.infected),
             static_cast<int>(row.has_value()) - static_cast<int>(before.ignored),
             static_cast<int>(known) - static_cast<int>(before.known), row ? RiskLevel::None : risk_of(virus), id);
    return !row;
}

std::optional<std::int64_t> FindTable::first_found_in(TaskId id, const FoundContent& found) {
    if (found.sha256.empty()) return std::nullopt;  // it may be another content each time
    return statement<
               "SELECT coalesce(first_ms, 0) FROM find WHERE task = ? AND path = ? AND virus = ? AND sha256 = ? AND "
               "verdict = 1 AND gone = 0">()
        .number(id, found.path, found.virus, found.sha256);
}

std::optional<FindTable::Owner> FindTable::owner_of(TaskId id) {
    return statement<
               "SELECT account.id, home FROM task CROSS JOIN account ON account.id = task.account WHERE task.id = ?">()
        .first(
            [](Row row) {
                return Owner{row.number(0), row.bytes(1)};
            },
            id);
}

std::optional<IgnoreList::RowId> FindTable::ignoring_row(const Owner& owner, const FoundContent& found) {
    const auto row = ignored_.row_for(owner.account, owner.home, found);
    if (row && ignored_.tell(owner.account, *row, false))
        history_.note_change(owner.account,
                             {AskedFor::IgnoreFiles,
                              {AskedBy::Administrator},
                              0,
                              ignored_for_all_text(found.path, found.virus, ignored_.ignoring_of(*row))});
    return row;
}

// The last infected file takes the number of one that is none any more.
void FindTable::close_gap(TaskId id, std::int64_t number) {
    statement<
        "UPDATE find INDEXED BY infected_in_order SET number = ?2 WHERE task = ?1 AND verdict = 1 AND "
        "number = (SELECT infected_files FROM task WHERE id = ?1)">()
        .run(id, number);
}

void FindTable::count_hit(TaskId id, const std::string& virus, std::int64_t change) {
    statement<
        "INSERT INTO hit(task, virus, files) VALUES(?, ?, ?) "
        "ON CONFLICT(task, virus) DO UPDATE SET files = files + excluded.files">()
        .run(id, virus, change);
}

void FindTable::add_unscanned(TaskId id, std::uint32_t start, const std::string& path, UnscannedReason reason,
                              std::optional<std::uint64_t> place) {
    tasks_.write(id);
    bool infected_before = false;  // and perhaps ignored
    bool unscanned_before = false;
    UnscannedReason reason_before{};
    statement<"SELECT verdict, reason FROM find WHERE task = ? AND path = ?">().each(
        [&](Row row) {
            infected_before = row.number(0) == infected || row.number(0) == ignored;
            unscanned_before = !infected_before;
            reason_before = row.number<UnscannedReason>(1);
            return false;
        },
        id, path);
    // An interrupted start found it infected; that stays until it is scanned again.
    if (infected_before) return;
    if (unscanned_before) tasks_.count_unscanned(id, reason_before, -1);
    tasks_.count_unscanned(id, reason, 1);
    statement<
        "INSERT INTO find(task, path, verdict, virus, reason, start, place) VALUES(?, ?, 2, x'', ?, ?, nullif(?, -1)) "
        "ON CONFLICT(task, path) DO UPDATE SET reason = excluded.reason, start = excluded.start, "
        "place = excluded.place">()
        .run(id, path, reason, start, place ? static_cast<std::int64_t>(*place) : -1);
}

void FindTable::complete_scan(TaskId id, std::uint64_t total_files, std::uint64_t clean_files,
                              std::uint64_t known_files) {
    tasks_.write(id);
    statement<
        "UPDATE task SET clean_files = ?, known_files = ?, total_files = max(total_files, ?, "
        "? + infected_files + ignored_files + " UNSCANNED_FILES(
            "task") "), total_bytes = max(total_bytes, scanned_bytes) WHERE id = ?">()
        .run(clean_files, known_files, total_files, clean_files, id);
    statement<"UPDATE task SET scanned_files = total_files WHERE id = ?">().run(id);
    tasks_.end(id, Outcome::Completed, "");
}

void FindTable::keep_find(const Task& scan, std::optional<TaskId> before, const std::string& path,
                          std::uint64_t place) {
    const auto unplaced = [&](Row row) {
        const bool is_infected = row.number(1) == infected || row.number(1) == ignored;
        const bool of_a_later_walk = row.number<std::uint32_t>(3) > scan.walk_start;
        return row.number(2) == 0 && (is_infected || of_a_later_walk) ? row.number(0) : 0;
    };
    const auto known =
        statement<"SELECT id, verdict, place IS NOT NULL, start FROM find WHERE task = ? AND path = ?">().first(
            unplaced, scan.id, path);
    if (known.value_or(0) != 0) {
        tasks_.write(scan.id);
        statement<"UPDATE find SET place = ? WHERE id = ?">().run(place, *known);
    }
    if (known || !before) return;
    auto& found = statement<"SELECT id FROM find WHERE task = ? AND path = ? AND verdict <> 2 AND gone = 0">();
    if (const auto earlier = found.number(*before, path)) copy_find(scan.id, *earlier, place);
}

// Of the scan before. Whether it is ignored goes by the list as it is now.
void FindTable::copy_find(TaskId id, std::int64_t find, std::optional<std::uint64_t> place) {
    const auto found = statement<"SELECT path, virus, sha256 FROM find WHERE id = ?">().first(
        [](Row row) {
            return FoundContent{row.bytes(0), row.bytes(1), row.bytes(2)};
        },
        find);
    if (!found) return;
    tasks_.write(id);
    const auto owner = owner_of(id);
    const auto row = owner ? ignoring_row(*owner, *found) : std::nullopt;
    statement<
        "INSERT OR IGNORE INTO find(task, path, verdict, virus, reason, sha256, start, found_ms, place, number, "
        "ignored_by, size, changed_ms, first_ms) SELECT ?1, path, ?4, virus, 0, sha256, 0, found_ms, nullif(?2, -1), "
        "CASE ?4 WHEN 1 THEN (SELECT infected_files + 1 FROM task WHERE id = ?1) ELSE 0 END, nullif(?5, 0), size, "
        "changed_ms, first_ms FROM find WHERE id = ?3">()
        .run(id, place ? static_cast<std::int64_t>(*place) : -1, find, row ? ignored : infected, row.value_or(0));
    if (database_.changed_rows() == 0) return;
    count_hit(id, found->virus, 1);
    statement<
        "UPDATE task SET infected_files = infected_files + ?, ignored_files = ignored_files + ?, risk = max(risk, ?) "
        "WHERE id = ?">()
        .run(!row, row.has_value(), row ? RiskLevel::None : risk_of(found->virus), id);
}

bool FindTable::keep_finds_below(TaskId id, TaskId before, const std::string& directory, std::int64_t& after) {
    std::vector<std::int64_t> below;
    const auto rows = statement<
                          "SELECT id, path FROM find INDEXED BY listed_finds "
                          "WHERE task = ?1 AND verdict = 1 AND gone = 0 AND id > ?2 UNION ALL "
                          "SELECT id, path FROM find INDEXED BY finds_in_order "
                          "WHERE task = ?1 AND verdict = 3 AND id > ?2 ORDER BY id LIMIT ?3">()
                          .each(
                              [&](Row row) {
                                  after = row.number(0);
                                  if (is_below(row.bytes(1), directory)) below.push_back(after);
                                  return true;
                              },
                              before, after, rows_at_once);
    for (const auto find : below) copy_find(id, find, std::nullopt);
    return rows > 0;
}

#define PLACED(index, verdict)                                                               \
    "(SELECT count(*) FROM find INDEXED BY " index " WHERE task = ?1 AND verdict = " verdict \
    " AND place IS NOT NULL AND place >= ?2 AND place < ?3)"

std::uint64_t FindTable::count_placed(TaskId id, std::uint64_t from, std::uint64_t to) {
    const auto placed = statement<"SELECT " PLACED("infected_by_place", "1") " + " PLACED(
        "ignored_by_place", "3") " + " PLACED("unscanned_by_place", "2")>()
                            .number(id, from, to);
    return static_cast<std::uint64_t>(placed.value_or(0));
}

bool FindTable::is_known(TaskId id, const std::string& path) {
    return statement<"SELECT 1 FROM find WHERE task = ? AND path = ?">().number(id, path).has_value();
}

void FindTable::end_unfinished(TaskId id, Outcome outcome, const std::string& why, std::uint64_t unreached) {
    if (unreached > 0)
        tasks_.count_unscanned(id,
                               outcome == Outcome::Cancelled ? UnscannedReason::Cancelled : UnscannedReason::EndedEarly,
                               static_cast<std::int64_t>(unreached));
    tasks_.write(id);
    statement<
        "UPDATE task SET clean_files = settled_clean, known_files = settled_known, "
        "total_files = settled_clean + infected_files + ignored_files + " UNSCANNED_FILES(
            "task") ", scanned_files = settled_clean + infected_files + ignored_files + " UNSCANNED_FILES(
            "task") " WHERE id = ?">()
        .run(id);
    tasks_.end(id, outcome, why);
}

// In the order of FindFacts. Of rows that an earlier version wrote, some are unknown.
#define FACTS "coalesce(size, -1), coalesce(changed_ms, 0), found_ms, coalesce(first_ms, 0)"

FindTable::Listed FindTable::infected_files(TaskId id, std::int64_t after, std::size_t budget, bool with_gone) {
    Listed listed;
    Piece piece(listed, after, budget);
    const auto take = [&](Row row) {
        InfectedFile file;
        Cursor(row, 1).into(file.path, file.virus, file.facts.size, file.facts.changed_ms, file.facts.found_ms,
                            file.facts.first_ms);
        // What these two allow for what stands around them is enough for the numbers, too.
        const auto cost = cost_in_json(file.path) + cost_in_json(file.virus);
        return piece.add(row.number(0), std::move(file), cost);
    };
    if (with_gone)
        statement<"SELECT id, path, virus, " FACTS
                  " FROM find INDEXED BY finds_in_order WHERE task = ? AND id > ? AND verdict = 1 ORDER BY id">()
            .each(take, id, after);
    else
        statement<"SELECT id, path, virus, " FACTS
                  " FROM find INDEXED BY listed_finds "
                  "WHERE task = ? AND id > ? AND verdict = 1 AND gone = 0 ORDER BY id">()
            .each(take, id, after);
    return listed;
}

AllFinds FindTable::all_finds(std::uint64_t after, const std::string& signature, std::size_t limit) {
    AllFinds found;
    std::map<TaskId, bool> is_last;
    auto& last = statement<"SELECT max(id) FROM task WHERE account = ? AND kind = 0">();
    const auto rows =
        statement<"SELECT find.id, task, account.id, account.name, path, virus, " FACTS
                  " FROM find INDEXED BY all_listed_finds "
                  "CROSS JOIN task ON task.id = find.task CROSS JOIN account ON account.id = task.account "
                  "WHERE verdict = 1 AND gone = 0 AND find.id > ? ORDER BY find.id LIMIT ?">()
            .each(
                [&](Row row) {
                    TaskId task = 0;
                    FindOfAccount find;
                    Cursor(row).into(found.next, task, find.account, find.name, find.path, find.virus, find.facts.size,
                                     find.facts.changed_ms, find.facts.found_ms, find.facts.first_ms);
                    if (!signature.empty() && find.virus != signature) return true;
                    const auto [known, fresh] = is_last.try_emplace(task);
                    if (fresh) known->second = last.number(find.account).value_or(0) == task;
                    if (known->second) found.finds.push_back(std::move(find));
                    return true;
                },
                after, limit);
    if (static_cast<std::size_t>(rows) < limit) found.next = 0;
    return found;
}

std::vector<std::string> FindTable::paths_of(AccountId account,
                                             const std::function<bool(const std::string&)>& is_wanted,
                                             std::uint64_t& after, std::size_t limit) {
    std::vector<std::pair<std::string, std::string>> found;  // with their signatures
    const auto scan = tasks_.last(account, TaskKind::Scan);
    const auto rows = !scan ? 0
                            : statement<
                                  "SELECT id, path, virus FROM find INDEXED BY listed_finds "
                                  "WHERE task = ? AND verdict = 1 AND gone = 0 AND id > ? ORDER BY id LIMIT ?">()
                                  .each(
                                      [&](Row row) {
                                          after = row.number<std::uint64_t>(0);
                                          found.emplace_back(row.bytes(1), row.bytes(2));
                                          return true;
                                      },
                                      scan->id, after, limit);
    if (static_cast<std::size_t>(rows) < limit) after = 0;
    std::vector<std::string> paths;
    for (auto& [path, signature] : found)
        if (is_wanted(signature)) paths.push_back(std::move(path));
    return paths;
}

FindTable::Unscanned FindTable::unscanned_files(TaskId id, std::int64_t after, std::size_t budget) {
    Unscanned found;
    Piece piece(found, after, budget);
    statement<"SELECT id, path, reason FROM find WHERE task = ? AND id > ? AND verdict = 2 ORDER BY id">().each(
        [&](Row row) {
            UnscannedFile file{row.bytes(1), row.number<UnscannedReason>(2)};
            const auto cost = cost_in_json(file.path) + 64;
            return piece.add(row.number(0), std::move(file), cost);
        },
        id, after);
    return found;
}

std::vector<FindTable::Find> FindTable::finds_after(TaskId id, std::int64_t after, std::size_t limit) {
    std::vector<Find> finds;
    // Merges lists that are each in the order of an index; any other query would sort all remaining rows.
#define FINDS_AFTER(verdict) \
    "SELECT id, path, virus, " verdict " = 3, reason FROM find WHERE task = ?1 AND verdict = " verdict " AND id > ?2"
    statement<FINDS_AFTER("1") " UNION ALL " FINDS_AFTER("2") " UNION ALL " FINDS_AFTER("3") " ORDER BY id LIMIT ?3">()
        .each(
            [&](Row row) {
                finds.push_back(
                    {row.number(0), row.bytes(1), row.bytes(2), row.number(3) != 0, row.number<UnscannedReason>(4)});
                return true;
            },
            id, after, limit);
    return finds;
}

// ---- What is ignored ------------------------------------------------------------------------------------------------

FindTable::IgnoredNow FindTable::ignore(AccountId account, const std::string& path, const Ignoring& ignoring) {
    const auto scan = tasks_.last(account, TaskKind::Scan);
    if (!scan) return {IgnoreResult::NoFind, ""};
    FoundContent found{path, "", ""};
    bool is_ignored = false;
    const auto find = statement<
                          "SELECT id, virus, sha256, verdict = 3 FROM find WHERE task = ? AND path = ? AND verdict <> "
                          "2 AND gone = 0">()
                          .first(
                              [&](Row row) {
                                  found.virus = row.bytes(1);
                                  found.sha256 = row.bytes(2);
                                  is_ignored = row.number(3) != 0;
                                  return row.number(0);
                              },
                              scan->id, path);
    if (!find) return {IgnoreResult::NoFind, ""};
    if (found.sha256.empty()) return {IgnoreResult::UnknownContent, found.virus};
    const auto row = ignored_.add(account, found, ignoring);
    if (!row) return {IgnoreResult::TooMany, found.virus};
    if (is_ignored)
        statement<"UPDATE find SET ignored_by = ? WHERE id = ?">().run(*row, *find);
    else
        mark_ignored(*find, *row);
    return {IgnoreResult::Ignored, found.virus};
}

void FindTable::mark_ignored(std::int64_t find, IgnoreList::RowId row) {
    const auto place = statement<"SELECT task, number FROM find WHERE id = ? AND verdict = 1">().first(
        [](Row found) { return std::pair(found.number(0), found.number(1)); }, find);
    if (!place) return;
    tasks_.write(place->first);
    close_gap(place->first, place->second);
    statement<"UPDATE find SET verdict = 3, number = 0, ignored_by = ? WHERE id = ?">().run(row, find);
    statement<"UPDATE task SET infected_files = infected_files - 1, ignored_files = ignored_files + 1 WHERE id = ?">()
        .run(place->first);
}

// Unless another row ignores it.
void FindTable::mark_infected(std::int64_t find, const IgnoreList::Unsettled& ended) {
    FoundContent content;
    const auto task = statement<"SELECT task, path, virus, sha256 FROM find WHERE id = ? AND verdict = 3">().first(
        [&](Row found) {
            content = {found.bytes(1), found.bytes(2), found.bytes(3)};
            return found.number(0);
        },
        find);
    if (!task) return;
    tasks_.write(*task);
    const auto owner = owner_of(*task).value_or(Owner());
    if (const auto other = ignoring_row(owner, content)) {
        statement<"UPDATE find SET ignored_by = ? WHERE id = ?">().run(*other, find);
        return;
    }
    statement<
        "UPDATE find SET verdict = 1, ignored_by = NULL, "
        "number = (SELECT infected_files + 1 FROM task WHERE task.id = find.task) WHERE id = ?">()
        .run(find);
    statement<
        "UPDATE task SET infected_files = infected_files + 1, ignored_files = ignored_files - 1, risk = max(risk, ?) "
        "WHERE id = ?">()
        .run(risk_of(content.virus), *task);
    const auto last = tasks_.last(owner.account, TaskKind::Scan);
    const bool is_seen = last && last->id == *task;  // in the lists, which are those of the last scan
    if (is_seen && ignored_.tell(owner.account, ended.row, true))
        history_.note_change(owner.account, {AskedFor::UnignoreFiles,
                                             {ended.expired ? AskedBy::Time : AskedBy::Administrator},
                                             0,
                                             found_again_for_all_text(content.path, content.virus)});
}

std::vector<std::int64_t> FindTable::some_copies(AccountId account, const FoundContent& content) {
    std::vector<std::int64_t> finds;
    const auto scan = tasks_.last(account, TaskKind::Scan);
    if (scan)
        statement<
            "SELECT id FROM find INDEXED BY infected_by_content "
            "WHERE task = ? AND sha256 = ? AND virus = ? AND verdict = 1 AND gone = 0 LIMIT ?">()
            .each(
                [&](Row row) {
                    finds.push_back(row.number(0));
                    return true;
                },
                scan->id, content.sha256, content.virus, settled_at_once);
    return finds;
}

std::vector<std::int64_t> FindTable::some_ignored_by(IgnoreList::RowId row) {
    std::vector<std::int64_t> finds;
    statement<"SELECT id FROM find INDEXED BY ignored_by_row WHERE verdict = 3 AND ignored_by = ? LIMIT ?">().each(
        [&](Row found) {
            finds.push_back(found.number(0));
            return true;
        },
        row, settled_at_once);
    return finds;
}

// Several that end together are told as one. Of an administrator's row, the accounts that have such files are told when
// those are found again.
void FindTable::end_expired() {
    const auto expired = ignored_.end_expired();
    if (!expired || expired->account == 0) return;
    history_.continue_change(expired->account, {AskedFor::UnignoreFiles,
                                                {AskedBy::Time},
                                                1,
                                                time_is_over_text(expired->content.path, expired->content.virus)});
}

bool FindTable::settle_ignored() {
    end_expired();
    const auto next = ignored_.next_unsettled();
    if (!next) return false;
    const auto finds =
        next->ended ? some_ignored_by(next->row) : some_copies(next->account, {"", next->virus, next->sha256});
    for (const auto find : finds) {
        if (next->ended)
            mark_infected(find, *next);
        else
            mark_ignored(find, next->row);
    }
    if (finds.size() < static_cast<std::size_t>(settled_at_once)) ignored_.settle(*next);
    return true;
}

namespace {

// This `after` means rows that no file of the scan goes by.
constexpr std::int64_t elsewhere = std::int64_t{1} << 62;
// A row of a path that is long, or of which all are of files of the scan, costs some time.
constexpr std::size_t around_an_ignored_file = 512;

#define IGNORING                                                                                 \
    "coalesce(ignored.account = 0, 1), coalesce(created_ms, 0), coalesce(ignored.reason, x''), " \
    "coalesce(expires_ms, 0), coalesce(asked_by, 4), coalesce(which, x''), coalesce(address, x'')"

IgnoredFile read_ignored(const Row& row) {
    IgnoredFile file;
    Cursor columns(row, 1);
    columns.into(file.row, file.path, file.virus, file.sha256, file.for_everybody, file.since_ms, file.ignoring.reason,
                 file.ignoring.expires_ms, file.ignoring.asker.by, file.ignoring.asker.which, file.ignoring.asker.from);
    return file;
}

std::size_t cost_of(const IgnoredFile& file) {
    return cost_in_json(file.path) + cost_in_json(file.virus) + cost_in_json(file.ignoring.reason) +
           around_an_ignored_file;
}

struct IgnoredPiece {
    std::vector<IgnoredFile> files;
    std::int64_t next = 0;
};

}  // namespace

void FindTable::add_ignored_of_scan(TaskId scan, std::int64_t after, std::size_t budget, Ignored& ignored) {
    IgnoredPiece found;
    Piece piece(found, after, budget);
    statement<"SELECT find.id, coalesce(ignored_by, 0), find.path, find.virus, find.sha256, " IGNORING
              " FROM find INDEXED BY finds_in_order LEFT JOIN ignored ON ignored.id = find.ignored_by "
              "WHERE find.task = ? AND find.verdict = 3 AND find.id > ? ORDER BY find.id">()
        .each(
            [&](Row row) {
                auto file = read_ignored(row);
                file.found = true;
                const auto cost = cost_of(file);
                return piece.add(row.number(0), std::move(file), cost);
            },
            scan, after);
    ignored.files = std::move(found.files);
    ignored.next = static_cast<std::uint64_t>(found.next == 0 ? elsewhere : found.next);
}

void FindTable::add_ignored_elsewhere(AccountId account, TaskId scan, std::int64_t after, std::size_t budget,
                                      Ignored& ignored) {
    IgnoredPiece found;
    Piece piece(found, after, budget);
    std::int64_t last = after;
    const auto rows = statement<"SELECT id, id, path, virus, sha256, " IGNORING
                                ", EXISTS (SELECT 1 FROM find INDEXED BY ignored_by_row WHERE verdict = 3 AND "
                                "ignored_by = ignored.id AND task = ?3) FROM ignored INDEXED BY ignored_of_account "
                                "WHERE account = ?1 AND id > ?2 AND state < 2 ORDER BY id LIMIT ?4">()
                          .each(
                              [&](Row row) {
                                  constexpr int is_in_scan = 12;
                                  last = row.number(0);
                                  if (row.number(is_in_scan) != 0) return true;
                                  auto file = read_ignored(row);
                                  const auto cost = cost_of(file);
                                  return piece.add(last, std::move(file), cost);
                              },
                              account, after, scan, rows_at_once);
    if (found.next == 0 && rows == static_cast<std::size_t>(rows_at_once)) found.next = last;
    ignored.files = std::move(found.files);
    ignored.next = static_cast<std::uint64_t>(found.next == 0 ? 0 : found.next | elsewhere);
}

Ignored FindTable::ignored_files(AccountId account, TaskId scan, std::uint64_t after, std::size_t budget) {
    Ignored ignored;
    ignored.scan = static_cast<std::uint64_t>(scan);
    const auto from = static_cast<std::int64_t>(after & INT64_MAX);
    if (from < elsewhere)
        add_ignored_of_scan(scan, from, budget, ignored);
    else
        add_ignored_elsewhere(account, scan, from & ~elsewhere, budget, ignored);
    return ignored;
}

// ---- What is done about them ----------------------------------------------------------------------------------------

std::optional<FindTable::Conflict> FindTable::resolve(AccountId account, const std::string& home,
                                                      std::vector<FileAction> asked,
                                                      std::vector<PlannedAction>& planned) {
    const auto scan = tasks_.last(account, TaskKind::Scan);
    std::unordered_map<std::string, std::pair<Action, std::string>> named;  // by resolved path: action, path as asked
    std::uint64_t number = 0;
    for (auto& [path, action] : asked) {
        PlannedAction plan;
        plan.number = ++number;
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
        planned.push_back(std::move(plan));
    }
    return std::nullopt;
}

bool FindTable::is_listed(TaskId scan, const std::string& path) {
    return statement<"SELECT 1 FROM find WHERE task = ? AND path = ? AND verdict = 1 AND gone = 0">()
        .number(scan, path)
        .has_value();
}

std::string FindTable::found_sha256(AccountId account, const std::string& path) {
    const auto scan = tasks_.last(account, TaskKind::Scan);
    std::string sha256;
    if (scan)
        statement<"SELECT sha256 FROM find WHERE task = ? AND path = ? AND verdict = 1">().each(
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
    statement<
        "UPDATE find SET gone = ? WHERE path = ? AND verdict = 1 AND "
        "task = (SELECT max(id) FROM task WHERE account = ? AND kind = 0)">()
        .run(gone, path, account);
}

}  // namespace clamscanner
