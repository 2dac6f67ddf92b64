#include "jobs/jobd/quarantine_list.h"

#include "jobs/jobd/list_piece.h"

namespace clamscanner {
namespace {

// The identity is that of the file in the quarantine, except for the modification time, which is the original one.
#define QUARANTINE_COLUMNS "opaque, path, virus, sha256, device, inode, size, mtime_ns, metadata"

constexpr int quarantine_column_count = 9;

PlannedAction read_quarantined(const Row& row) {
    PlannedAction file;
    std::string metadata;
    file.listed = true;
    Cursor(row).into(file.opaque, file.path, file.virus, file.sha256, file.identity.device, file.identity.inode,
                     file.identity.size, file.identity.mtime_ns, metadata);
    file.metadata = unpacked(metadata);
    return file;
}

}  // namespace

void QuarantineList::add(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
                         bool may_hold_mail) {
    database_.write();
    statement<
        "INSERT OR IGNORE INTO quarantine(account, opaque, path, virus, sha256, device, inode, size, mtime_ns, "
        "metadata, time_ms, running_ms, may_hold_mail) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)">()
        .run(account, action.opaque, action.path, action.virus, action.sha256, device, inode, action.identity.size,
             action.identity.mtime_ns, packed(action.metadata), now_ms(), running_time_.now(), may_hold_mail);
}

void QuarantineList::adopt(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
                           bool may_hold_mail) {
    add(account, action, device, inode, may_hold_mail);
    if (database_.changed_rows() == 0) return;
    statement<"UPDATE quarantine SET adopted = 1 WHERE account = ? AND opaque = ?">().run(account, action.opaque);
}

bool QuarantineList::confirm(AccountId account, const std::string& opaque, const PlannedAction& found) {
    database_.write();
    statement<
        "UPDATE quarantine SET adopted = 0, virus = ?, device = ?, inode = ? "
        "WHERE account = ? AND opaque = ? AND sha256 = ? AND size = ? AND adopted = 1">()
        .run(found.virus, found.identity.device, found.identity.inode, account, opaque, found.sha256,
             found.identity.size);
    return database_.changed_rows() > 0;
}

void QuarantineList::forget_adopted(AccountId account, const std::string& opaque) {
    if (find_adopted(account, opaque)) forget(account, opaque);
}

std::optional<PlannedAction> QuarantineList::find_adopted(AccountId account, const std::string& opaque) {
    return statement<"SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE account = ? AND opaque = ? AND adopted = 1">()
        .first(read_quarantined, account, opaque);
}

std::vector<QuarantineList::Stored> QuarantineList::after(AccountId account, std::int64_t id, std::size_t limit) {
    std::vector<Stored> files;
    statement<
        "SELECT id, opaque, inode, size, sha256, adopted FROM quarantine INDEXED BY quarantine_in_order "
        "WHERE account = ? AND id > ? ORDER BY id LIMIT ?">()
        .each(
            [&](Row row) {
                auto& file = files.emplace_back();
                Cursor(row).into(file.id, file.opaque, file.inode, file.size, file.sha256, file.adopted);
                return true;
            },
            account, id, limit);
    return files;
}

std::optional<std::string> QuarantineList::name_of(AccountId account, std::int64_t id) {
    return statement<"SELECT opaque FROM quarantine WHERE id = ? AND account = ?">().first(
        [](Row row) { return row.bytes(0); }, id, account);
}

void QuarantineList::set_clean(AccountId account, const std::string& opaque, bool clean) {
    database_.write();
    statement<"UPDATE quarantine SET clean = ?1 WHERE account = ?2 AND opaque = ?3 AND clean <> ?1">().run(
        clean, account, opaque);
    if (database_.changed_rows() > 0) adjust_clean_count(account, clean ? 1 : -1);
}

void QuarantineList::adjust_clean_count(AccountId account, int change) {
    statement<"UPDATE account SET clean_in_quarantine = clean_in_quarantine + ? WHERE id = ?">().run(change, account);
}

std::uint64_t QuarantineList::count_clean(AccountId account) {
    return static_cast<std::uint64_t>(
        statement<"SELECT clean_in_quarantine FROM account WHERE id = ?">().number(account).value_or(0));
}

QuarantineList::Listed QuarantineList::listed(AccountId account, std::int64_t after, std::size_t budget) {
    Listed found;
    Piece piece(found, after, budget);
    statement<
        "SELECT id, opaque, path, virus, sha256, size, time_ms, clean FROM quarantine INDEXED BY quarantine_in_order "
        "WHERE account = ? AND id > ? ORDER BY id">()
        .each(
            [&](Row row) {
                QuarantinedFile file;
                Cursor columns(row);
                const auto id = columns.next<std::int64_t>();
                columns.into(file.id, file.path, file.virus, file.sha256, file.size, file.time_ms, file.clean);
                const auto cost = cost_in_json(file.path) + cost_in_json(file.virus) + 256;
                return piece.add(id, std::move(file), cost);
            },
            account, after);
    return found;
}

std::optional<PlannedAction> QuarantineList::find(AccountId account, const std::string& opaque) {
    return statement<"SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE account = ? AND opaque = ?">().first(
        read_quarantined, account, opaque);
}

std::vector<QuarantineList::Expired> QuarantineList::expired(AccountId account, std::int64_t before_ms,
                                                             std::int64_t before_running_ms, const Expired& after,
                                                             std::size_t limit) {
    std::vector<Expired> files;
    statement<"SELECT " QUARANTINE_COLUMNS
              ", id, time_ms FROM quarantine INDEXED BY quarantine_by_age "
              "WHERE account = ? AND time_ms < ? AND running_ms < ? AND may_hold_mail = 0 AND clean = 0 AND "
              "NOT EXISTS (SELECT 1 FROM held_signature WHERE signature = virus AND allowed = 0) AND "
              "(time_ms, id) > (?, ?) ORDER BY time_ms, id LIMIT ?">()
        .each(
            [&](Row row) {
                auto& expired = files.emplace_back();
                expired.file = read_quarantined(row);
                Cursor(row, quarantine_column_count).into(expired.file.number, expired.time_ms);
                expired.file.action = Action::Discard;
                return true;
            },
            account, before_ms, before_running_ms, after.time_ms, after.file.number, limit);
    return files;
}

void QuarantineList::forget(AccountId account, const std::string& opaque) {
    database_.write();
    const bool was_clean = statement<"DELETE FROM quarantine WHERE account = ? AND opaque = ? RETURNING clean">()
                               .number(account, opaque)
                               .value_or(0) != 0;
    if (was_clean) adjust_clean_count(account, -1);
}

QuarantineList::Sums QuarantineList::sums() {
    return statement<"SELECT files, bytes FROM quarantine_sum WHERE id = 1">()
        .first([](Row row) {
            return Sums{row.number<std::uint64_t>(0), row.number<std::uint64_t>(1)};
        })
        .value_or(Sums{});
}

}  // namespace clamscanner
