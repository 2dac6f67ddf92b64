#include "jobs/jobd/quarantine_list.h"

#include "jobs/jobd/list_piece.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_known_accounts = 20'000;

// The identity is that of the file in the quarantine, except for the modification time, which is the original one.
#define QUARANTINE_COLUMNS "opaque, path, virus, sha256, device, inode, size, mtime_ns, metadata"

PlannedAction read_quarantined(const Row& row) {
    PlannedAction file;
    file.listed = true;
    file.opaque = row.bytes(0);
    file.path = row.bytes(1);
    file.virus = row.bytes(2);
    file.sha256 = row.bytes(3);
    file.identity = {row.number<std::uint64_t>(4), row.number<std::uint64_t>(5), row.number<std::uint64_t>(6),
                     row.number(7)};
    file.metadata = unpacked(row.bytes(8));
    return file;
}

}  // namespace

void QuarantineList::add(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
                         bool may_hold_mail) {
    database_.write();
    statement(
        "INSERT OR IGNORE INTO quarantine(account, opaque, path, virus, sha256, device, inode, size, mtime_ns, "
        "metadata, time_ms, running_ms, may_hold_mail) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .run(account, action.opaque, action.path, action.virus, action.sha256, device, inode, action.identity.size,
             action.identity.mtime_ns, packed(action.metadata), now_ms(), running_time_.now(), may_hold_mail);
}

void QuarantineList::adopt(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
                           bool may_hold_mail) {
    add(account, action, device, inode, may_hold_mail);
    if (database_.changed_rows() == 0) return;
    statement("UPDATE quarantine SET adopted = 1 WHERE account = ? AND opaque = ?").run(account, action.opaque);
}

bool QuarantineList::confirm(AccountId account, const std::string& opaque, const PlannedAction& found) {
    database_.write();
    statement(
        "UPDATE quarantine SET adopted = 0, virus = ?, device = ?, inode = ? "
        "WHERE account = ? AND opaque = ? AND sha256 = ? AND size = ? AND adopted = 1")
        .run(found.virus, found.identity.device, found.identity.inode, account, opaque, found.sha256,
             found.identity.size);
    return database_.changed_rows() > 0;
}

void QuarantineList::forget_adopted(AccountId account, const std::string& opaque) {
    if (find_adopted(account, opaque)) forget(account, opaque);
}

std::optional<PlannedAction> QuarantineList::find_adopted(AccountId account, const std::string& opaque) {
    return statement("SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE account = ? AND opaque = ? AND adopted = 1")
        .first(read_quarantined, account, opaque);
}

std::vector<QuarantineList::Stored> QuarantineList::all(AccountId account) {
    std::vector<Stored> files;
    statement(
        "SELECT opaque, inode, size, sha256, adopted FROM quarantine INDEXED BY quarantine_in_order WHERE account = ? "
        "ORDER BY id")
        .each(
            [&](Row row) {
                files.push_back({row.bytes(0), row.number<std::uint64_t>(1), row.number<std::uint64_t>(2), row.bytes(3),
                                 row.number(4) != 0});
                return true;
            },
            account);
    return files;
}

void QuarantineList::set_clean(AccountId account, const std::string& opaque, bool clean) {
    database_.write();
    statement("UPDATE quarantine SET clean = ?1 WHERE account = ?2 AND opaque = ?3 AND clean <> ?1")
        .run(clean, account, opaque);
    if (database_.changed_rows() > 0) adjust_clean_count(account, clean ? 1 : -1);
}

void QuarantineList::adjust_clean_count(AccountId account, int change) {
    const auto known = clean_.find(account);
    if (known != clean_.end()) known->second += change;
}

std::uint64_t QuarantineList::count_clean(AccountId account) {
    if (const auto known = clean_.find(account); known != clean_.end())
        return static_cast<std::uint64_t>(known->second);
    const auto counted =
        statement("SELECT count(*) FROM quarantine INDEXED BY quarantined_clean WHERE account = ? AND clean = 1")
            .number(account)
            .value_or(0);
    if (clean_.size() >= most_known_accounts) clean_.clear();
    clean_[account] = counted;
    return static_cast<std::uint64_t>(counted);
}

QuarantineList::Listed QuarantineList::listed(AccountId account, std::int64_t after, std::size_t budget) {
    Listed found;
    Piece piece(found, after, budget);
    statement(
        "SELECT id, opaque, path, virus, sha256, size, time_ms, clean FROM quarantine INDEXED BY quarantine_in_order "
        "WHERE account = ? AND id > ? ORDER BY id")
        .each(
            [&](Row row) {
                QuarantinedFile file{
                    row.bytes(1),  row.bytes(2),      row.bytes(3), row.bytes(4), row.number<std::uint64_t>(5),
                    row.number(6), row.number(7) != 0};
                const auto cost = cost_in_json(file.path) + cost_in_json(file.virus) + 256;
                return piece.add(row.number(0), std::move(file), cost);
            },
            account, after);
    return found;
}

std::optional<PlannedAction> QuarantineList::find(AccountId account, const std::string& opaque) {
    return statement("SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE account = ? AND opaque = ?")
        .first(read_quarantined, account, opaque);
}

std::vector<PlannedAction> QuarantineList::expired(AccountId account, std::int64_t before_ms,
                                                   std::int64_t before_running_ms, std::size_t limit) {
    std::vector<PlannedAction> files;
    statement(
        "SELECT " QUARANTINE_COLUMNS
        " FROM quarantine WHERE account = ? AND time_ms < ? AND running_ms < ? AND may_hold_mail = 0 AND clean = "
        "0 AND NOT EXISTS (SELECT 1 FROM held_signature WHERE signature = virus AND allowed = 0) ORDER BY time_ms "
        "LIMIT ?")
        .each(
            [&](Row row) {
                files.push_back(read_quarantined(row));
                files.back().number = files.size();
                files.back().action = Action::Discard;
                return true;
            },
            account, before_ms, before_running_ms, limit);
    return files;
}

void QuarantineList::forget(AccountId account, const std::string& opaque) {
    database_.write();
    const bool was_clean = statement("DELETE FROM quarantine WHERE account = ? AND opaque = ? RETURNING clean")
                               .number(account, opaque)
                               .value_or(0) != 0;
    if (was_clean) adjust_clean_count(account, -1);
}

}  // namespace clamscanner
