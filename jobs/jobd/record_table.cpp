#include "jobs/jobd/record_table.h"

#include "jobs/jobd/list_piece.h"

namespace clamscanner {
namespace {

std::string cut_message(const std::string& message) {
    return message.substr(0, longest_message);
}

}  // namespace

void RecordTable::add_actions(TaskId id, const std::vector<PlannedAction>& planned) {
    database_.write();
    auto number = last_action(id);
    auto& insert = statement<"INSERT INTO action(task, number, path, action, listed) VALUES(?, ?, ?, ?, ?)">();
    for (const auto& plan : planned) insert.run(id, ++number, plan.path, plan.action, plan.listed);
}

std::int64_t RecordTable::last_action(TaskId id) {
    return statement<"SELECT max(number) FROM action WHERE task = ?">().number(id).value_or(0);
}

namespace {

// Open ones. With the primary key it would step over all actions already finished.
#define ACTION_QUERY                                                                                                   \
    "SELECT number, path, action, listed, state = 1, opaque, device, inode, size, mtime_ns, sha256, virus, metadata, " \
    "remark, moved FROM action INDEXED BY open_actions WHERE task = ? AND state < 2 "

PlannedAction read_action(const Row& row) {
    PlannedAction action;
    std::string metadata;
    Cursor(row).into(action.number, action.path, action.action, action.listed, action.intended, action.opaque,
                     action.identity.device, action.identity.inode, action.identity.size, action.identity.mtime_ns,
                     action.sha256, action.virus, metadata, action.remark, action.moved);
    action.metadata = unpacked(metadata);
    return action;
}

}  // namespace

std::optional<PlannedAction> RecordTable::next_action(TaskId id) {
    auto next = statement<ACTION_QUERY "ORDER BY number LIMIT 1">().first(read_action, id);
    if (next && next->intended)
        statement<"SELECT opaque, sha256, virus FROM cut_message WHERE task = ? AND number = ? ORDER BY opaque">().each(
            [&](Row row) {
                next->cuts.push_back({row.bytes(0), row.bytes(1), row.bytes(2)});
                return true;
            },
            id, next->number);
    return next;
}

std::vector<PlannedAction> RecordTable::actions_after(TaskId id, std::uint64_t number, std::size_t limit) {
    std::vector<PlannedAction> actions;
    statement<ACTION_QUERY "AND number > ? ORDER BY number LIMIT ?">().each(
        [&](Row row) {
            actions.push_back(read_action(row));
            return true;
        },
        id, number, limit);
    return actions;
}

void RecordTable::intend(TaskId id, const PlannedAction& action) {
    tasks_.write(id);
    statement<
        "UPDATE action SET state = 1, action = ?, opaque = ?, device = ?, inode = ?, size = ?, mtime_ns = ?, "
        "sha256 = ?, virus = ?, metadata = ?, remark = ?, moved = ? WHERE task = ? AND number = ? AND state < 2">()
        .run(action.action, action.opaque, action.identity.device, action.identity.inode, action.identity.size,
             action.identity.mtime_ns, action.sha256, action.virus, packed(action.metadata), action.remark,
             action.moved, id, action.number);
    statement<"DELETE FROM cut_message WHERE task = ? AND number = ?">().run(id, action.number);
    auto& insert = statement<"INSERT INTO cut_message(task, number, opaque, sha256, virus) VALUES(?, ?, ?, ?, ?)">();
    for (const auto& cut : action.cuts) insert.run(id, action.number, cut.opaque, cut.sha256, cut.virus);
}

void RecordTable::add_record(TaskId id, Record record) {
    tasks_.write(id);
    statement<"UPDATE task SET last_record = last_record + 1 WHERE id = ?">().run(id);
    statement<
        "INSERT INTO record(task, id, type, state, file, message) "
        "SELECT id, last_record, ?, ?, ?, ? FROM task WHERE id = ?">()
        .run(record.type, record.state, record.file, cut_message(record.message), id);
}

void RecordTable::record_step(TaskId id, const PlannedAction& action, RecordState state, const std::string& message) {
    tasks_.write(id);
    statement<"UPDATE action SET state = 2 WHERE task = ? AND number = ?">().run(id, action.number);
    statement<
        "INSERT INTO step_count(task, state, steps) VALUES(?, ?, 1) "
        "ON CONFLICT(task, state) DO UPDATE SET steps = steps + 1">()
        .run(id, state);
    add_record(id, {0, RecordType::Step, state, action.path, message});
}

void RecordTable::record_issue(TaskId id, RecordState state, const std::string& message) {
    add_record(id, {0, RecordType::Issue, state, "", message});
}

void RecordTable::record_done(TaskId id, RecordState state, const std::string& message, Outcome outcome) {
    add_record(id, {0, RecordType::Done, state, "", message});
    tasks_.end(id, outcome, outcome == Outcome::Completed ? "" : message);
}

std::map<RecordState, std::uint64_t> RecordTable::step_counts(TaskId id) {
    std::map<RecordState, std::uint64_t> counts;
    statement<"SELECT state, steps FROM step_count WHERE task = ?">().each(
        [&](Row row) {
            counts[row.number<RecordState>(0)] = row.number<std::uint64_t>(1);
            return true;
        },
        id);
    return counts;
}

RecordTable::Records RecordTable::records_after(TaskId id, std::uint64_t last_id, std::size_t budget,
                                                std::size_t limit) {
    Records found;
    std::size_t cost = 0;
    statement<"SELECT id, type, state, file, message FROM record WHERE task = ? AND id > ? ORDER BY id">().each(
        [&](Row row) {
            Record record{row.number<std::uint64_t>(0), row.number<RecordType>(1), row.number<RecordState>(2),
                          row.bytes(3), row.bytes(4)};
            cost += cost_in_json(record.file) + cost_in_json(record.message) + 64;
            found.cut = !found.records.empty() && (cost > budget || found.records.size() >= limit);
            if (!found.cut) found.records.push_back(std::move(record));
            return !found.cut;
        },
        id, last_id);
    return found;
}

void RecordTable::add_changes(TaskId id, AccountId account, const std::vector<std::string>& opaque_names,
                              Action action) {
    database_.write();
    auto number = last_action(id);
    auto& insert = statement<
        "INSERT INTO action(task, number, path, action, listed, state, opaque, device, inode, "
        "size, mtime_ns, sha256, virus, metadata) VALUES(?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, "
        "?)">();
    for (const auto& opaque : opaque_names) {
        auto known = quarantine_.find(account, opaque);
        PlannedAction file = known ? *std::move(known) : PlannedAction{};
        insert.run(id, ++number, file.path, action, file.listed, opaque, file.identity.device, file.identity.inode,
                   file.identity.size, file.identity.mtime_ns, file.sha256, file.virus, packed(file.metadata));
    }
}

RecordTable::Changed RecordTable::changed_files(TaskId id, std::int64_t after, std::size_t budget) {
    Changed changed;
    Piece piece(changed, after, budget);
    // Each action has one record, of the same number.
    statement<
        "SELECT number, opaque, path, record.id IS NOT NULL, record.state, record.message FROM action "
        "LEFT JOIN record ON record.task = action.task AND record.id = action.number "
        "WHERE action.task = ? AND number > ? ORDER BY number">()
        .each(
            [&](Row row) {
                ChangedFile file;
                Cursor columns(row);
                const auto number = columns.next<std::int64_t>();
                columns.into(file.id, file.path, file.done, file.state, file.message);
                const auto cost = cost_in_json(file.path) + cost_in_json(file.message) + 128;
                return piece.add(number, std::move(file), cost);
            },
            id, after);
    return changed;
}

}  // namespace clamscanner
