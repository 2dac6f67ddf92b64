#include "jobs/quarantine_list.h"

#include "jobs/list_piece.h"

namespace clamscanner {
namespace {

// The identity is that of the file in the quarantine, with the time it had before.
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
        "metadata, time_ms, may_hold_mail) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .run(account, action.opaque, action.path, action.virus, action.sha256, device, inode, action.identity.size,
             action.identity.mtime_ns, packed(action.metadata), now_ms(), may_hold_mail);
}

std::vector<QuarantineList::Stored> QuarantineList::all(AccountId account) {
    std::vector<Stored> files;
    statement("SELECT opaque, inode, sha256 FROM quarantine WHERE account = ? ORDER BY id")
        .each(
            [&](Row row) {
                files.push_back({row.bytes(0), row.number<std::uint64_t>(1), row.bytes(2)});
                return true;
            },
            account);
    return files;
}

void QuarantineList::judge(AccountId account, const std::string& opaque, bool clean) {
    database_.write();
    statement("UPDATE quarantine SET clean = ? WHERE account = ? AND opaque = ?").run(clean, account, opaque);
}

std::uint64_t QuarantineList::count_clean(AccountId account) {
    return static_cast<std::uint64_t>(
        statement("SELECT count(*) FROM quarantine WHERE account = ? AND clean = 1").number(account).value_or(0));
}

QuarantineList::Listed QuarantineList::listed(AccountId account, std::int64_t after, std::size_t budget) {
    Listed found;
    Piece piece(found, after, budget);
    statement(
        "SELECT id, opaque, path, virus, sha256, size, time_ms, clean FROM quarantine WHERE account = ? AND id > ? "
        "ORDER BY id")
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

std::vector<PlannedAction> QuarantineList::expired(AccountId account, std::int64_t before_ms, std::size_t limit) {
    std::vector<PlannedAction> files;
    statement("SELECT " QUARANTINE_COLUMNS
              " FROM quarantine WHERE account = ? AND time_ms < ? AND may_hold_mail = 0 "
              "ORDER BY id LIMIT ?")
        .each(
            [&](Row row) {
                files.push_back(read_quarantined(row));
                files.back().number = files.size();
                files.back().action = Action::Discard;
                return true;
            },
            account, before_ms, limit);
    return files;
}

void QuarantineList::forget(AccountId account, const std::string& opaque) {
    database_.write();
    statement("DELETE FROM quarantine WHERE account = ? AND opaque = ?").run(account, opaque);
}

}  // namespace clamscanner
