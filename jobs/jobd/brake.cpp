#include "jobs/jobd/brake.h"

namespace clamscanner {
namespace {

// Fewer hits never hold a signature, whatever their share: on a small site most files may well be infected.
constexpr std::uint64_t fewest_files = 25;
constexpr std::uint64_t fewest_accounts = 10;

bool is_more_than(std::uint64_t part, std::uint64_t whole, std::uint64_t percent) {
    return part * 100 > whole * percent;
}

#define COLUMNS "signature, why, since_ms, allowed"

HeldSignature read_held(const Row& row) {
    return {row.bytes(0), row.bytes(1), row.number(2), row.number(3) != 0};
}

}  // namespace

Brake::Hits Brake::files_hit(AccountId account, const std::string& signature) {
    const auto scan = ledger_.tasks().last(account, TaskKind::Scan);
    if (!scan) return {};
    const auto hit = statement<"SELECT files FROM hit WHERE task = ? AND virus = ?">().number(scan->id, signature);
    return {static_cast<std::uint64_t>(hit.value_or(0)), scan->total_files};
}

Brake::Hits Brake::accounts_hit(const std::string& signature, std::int64_t since_running_ms) {
    const auto hit = statement<
                         "SELECT count(*) FROM signature_hit INDEXED BY hits_of_signature "
                         "WHERE signature = ? AND running_ms >= ?">()
                         .number(signature, since_running_ms);
    const auto all = statement<"SELECT scanned_accounts FROM total">().number();
    return {static_cast<std::uint64_t>(hit.value_or(0)), static_cast<std::uint64_t>(all.value_or(0))};
}

std::optional<HeldSignature> Brake::find(const std::string& signature) {
    return statement<"SELECT " COLUMNS " FROM held_signature WHERE signature = ?">().first(read_held, signature);
}

std::vector<HeldSignature> Brake::held() {
    std::vector<HeldSignature> held;
    statement<"SELECT " COLUMNS " FROM held_signature ORDER BY since_ms">().each([&](Row row) {
        held.push_back(read_held(row));
        return true;
    });
    return held;
}

bool Brake::allow(const std::string& signature) {
    database_.write();
    statement<"UPDATE held_signature SET allowed = 1 WHERE signature = ?">().run(signature);
    return database_.changed_rows() > 0;
}

void Brake::hold(const std::string& signature, const std::string& why) {
    database_.write();
    statement<"INSERT OR IGNORE INTO held_signature(signature, why, since_ms) VALUES(?, ?, ?)">().run(signature, why,
                                                                                                      now_ms());
    if (database_.changed_rows() > 0) ledger_.outbox().note_brake(signature, why);
}

void Brake::add_hit(AccountId account, const std::string& signature) {
    const auto now = ledger_.running_time().now();
    database_.write();
    statement<
        "INSERT INTO signature_hit VALUES(?, ?, ?) ON CONFLICT(signature, account) DO UPDATE SET "
        "running_ms = excluded.running_ms WHERE running_ms < excluded.running_ms - ?">()
        .run(signature, account, now, hour_ms);
    if (database_.changed_rows() == 0) return;  // this account counts already
    forget_hits_before(now - hour_ms);
    const auto [accounts, of_accounts] = accounts_hit(signature, now - hour_ms);
    if (accounts >= fewest_accounts && is_more_than(accounts, of_accounts, settings_.brake.accounts_percent))
        hold(signature, "it was found in " + std::to_string(accounts) + " of " + std::to_string(of_accounts) +
                            " accounts within an hour");
}

void Brake::forget_hits_before(std::int64_t running_ms) {
    statement<
        "DELETE FROM signature_hit WHERE (signature, account) IN "
        "(SELECT signature, account FROM signature_hit INDEXED BY hits_by_age WHERE running_ms < ? LIMIT 8)">()
        .run(running_ms);
}

std::string Brake::why_held(AccountId account, const std::string& signature) {
    auto known = find(signature);
    if (!known) {
        const auto [files, of_files] = files_hit(account, signature);
        if (files < fewest_files || !is_more_than(files, of_files, settings_.brake.files_percent)) return {};
        hold(signature,
             "it was found in " + std::to_string(files) + " of " + std::to_string(of_files) + " files of one account");
        known = find(signature);
    }
    if (!known || known->allowed) return {};
    return "deleting is held for " + signature + ": " + known->why + ", as happens when a signature is wrong";
}

std::string Brake::how_to_allow(const std::string& signature) {
    return "ask your administrator, who can allow it with: clamscanner-scan --allow " + signature;
}

}  // namespace clamscanner
