#include "jobs/jobd/outbox.h"

#include <time.h>

#include <algorithm>

#include "auth/base/random.h"
#include "auth/base/sha256.h"

namespace clamscanner {
namespace {

constexpr std::int64_t rows_at_once = 200;
constexpr std::int64_t first_pause_ms = 60'000;
constexpr std::int64_t longest_pause_of_event_ms = 300'000;
constexpr std::int64_t others_pass_ms = 10'000;
constexpr std::int64_t code_good_for_ms = day_ms;
constexpr std::int64_t most_changes_a_day = 10;
constexpr std::size_t code_bytes = 10;
constexpr TaskId all_scans = INT64_MAX;

// Of a notice.
enum class State : std::uint8_t { Collecting = 0, Due = 1, Sealed = 2 };

constexpr const char* account_figure = "account ";
// The detail of a mail about finds that was refused, perhaps for their names, which malware may have chosen for that (a
// test text of spam filters): it is tried again without them.
constexpr const char* without_names = "without names";

// The latest moment before `now` at which this hour of local time began.
std::int64_t last_hour_ms(std::uint64_t hour, std::int64_t now) {
    const time_t seconds = now / 1000;
    tm parts{};
    if (::localtime_r(&seconds, &parts) == nullptr) return 0;
    parts.tm_min = parts.tm_sec = 0;
    if (parts.tm_hour < static_cast<int>(hour)) --parts.tm_mday;
    parts.tm_hour = static_cast<int>(hour);
    parts.tm_isdst = -1;
    return static_cast<std::int64_t>(::mktime(&parts)) * 1000;
}

std::int64_t pause_after(NoticeKind kind, std::int64_t refusals) {
    const auto longest = channel_of(kind) == NoticeChannel::Hook ? longest_pause_of_event_ms : day_ms;
    return std::min(first_pause_ms << std::min<std::int64_t>(refusals, 20), longest);
}

// In told_find.
std::string name_of(const FoundContent& found) {
    return sha256_hex(found.path + '\0' + found.virus + '\0' + found.sha256).substr(0, 32);
}

const char* name_of_event(NoticeKind kind) {
    switch (kind) {
        case NoticeKind::ScanEnded:
            return "scans that ended";
        case NoticeKind::SystemScanEnded:
            return "scans of all accounts that ended";
        case NoticeKind::Find:
            return "finds";
        case NoticeKind::Disinfected:
            return "disinfections that ended";
        default:
            return "others";
    }
}

}  // namespace

// ---- Rows ----------------------------------------------------------------------------------------------------------

Outbox::NoticeId Outbox::add(NoticeKind kind, AccountId account, TaskId task, const std::string& text,
                             const std::string& detail) {
    database_.write();
    const auto now = now_ms();
    statement<
        "INSERT INTO notice(channel, kind, account, task, text, detail, created_ms, due_ms, state) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)">()
        .run(channel_of(kind), kind, account, task, text.substr(0, longest_message), detail.substr(0, longest_message),
             now, now, State::Due);
    return database_.last_row();
}

Outbox::NoticeId Outbox::collecting(NoticeKind kind, AccountId account) {
    if (const auto open =
            statement<"SELECT id FROM notice WHERE account = ? AND kind = ? AND state < 2 LIMIT 1">().number(account,
                                                                                                             kind))
        return *open;
    const auto id = add(kind, account);
    if (kind == NoticeKind::LeftOut)
        count_event(account, 1);
    else
        statement<"UPDATE notice SET state = 0 WHERE id = ?">().run(id);
    return id;
}

bool Outbox::has_room_for_event(AccountId account) {
    if (!events_) {
        events_.emplace();
        statement<"SELECT account FROM notice WHERE channel = 1 AND state > 0">().each([&](Row row) {
            count_event(row.number(0), 1);
            return true;
        });
    }
    if (events_->all >= most_events) return false;
    const auto own = events_->of_account.find(account);
    return account == 0 || own == events_->of_account.end() || own->second < most_events_of_account;
}

void Outbox::count_event(AccountId account, std::int64_t change) {
    if (!events_) return;
    events_->all += change;
    const auto own = events_->of_account.try_emplace(account).first;
    own->second += change;
    if (own->second <= 0) events_->of_account.erase(own);
}

Outbox::NoticeId Outbox::add_event(NoticeKind kind, AccountId account, TaskId task, const std::string& text,
                                   const std::string& detail) {
    if (settings_ == nullptr || settings_->notifications.hook.empty()) return 0;
    if (!has_room_for_event(account)) {
        add_figure(collecting(NoticeKind::LeftOut, 0), name_of_event(kind), 1);
        return 0;
    }
    count_event(account, 1);
    return add(kind, account, task, text, detail);
}

void Outbox::add_find(NoticeId id, std::uint64_t number, const FoundContent& found, std::int64_t found_ms) {
    statement<"INSERT INTO notice_find(notice, number, path, virus, found_ms) VALUES(?, ?, ?, ?, ?)">().run(
        id, number, found.path, found.virus, found_ms);
}

void Outbox::add_figure(NoticeId id, const std::string& name, std::uint64_t number) {
    database_.write();
    statement<
        "INSERT INTO notice_figure(notice, name, number) VALUES(?, ?, ?) "
        "ON CONFLICT(notice, name) DO UPDATE SET number = number + excluded.number">()
        .run(id, name.substr(0, longest_figure_name), number);
}

void Outbox::add_to_digest(const std::string& name, std::uint64_t number) {
    if (settings_ == nullptr || settings_->notifications.administrator.empty() || number == 0) return;
    add_figure(collecting(NoticeKind::Digest, 0), name, number);
}

void Outbox::remove(NoticeId id) {
    database_.write();
    const auto removed = statement<"DELETE FROM notice WHERE id = ? RETURNING channel, account">().first(
        [](Row row) { return std::pair(row.number(0), row.number(1)); }, id);
    if (!removed) return;
    statement<"DELETE FROM notice_find WHERE notice = ?">().run(id);
    statement<"DELETE FROM notice_figure WHERE notice = ?">().run(id);
    if (removed->first == 1) count_event(removed->second, -1);
}

// ---- What is recorded ----------------------------------------------------------------------------------------------

std::optional<std::int64_t> Outbox::first_noted(AccountId account, const FoundContent& found) {
    if (found.sha256.empty()) return std::nullopt;  // it may be another content each time
    return statement<
               "SELECT coalesce(first_ms, 0) FROM told_find WHERE account = ?1 AND find = ?2 AND "
               "scan >= (SELECT gone_before FROM notified_account WHERE account = ?1)">()
        .number(account, name_of(found));
}

bool Outbox::is_new(AccountId account, TaskId scan, const FoundContent& found, std::int64_t found_ms) {
    const auto find = name_of(found);
    // What was told before that is gone, also where prune() has not come to it yet.
    statement<
        "UPDATE told_find SET scan = ?1 WHERE account = ?2 AND find = ?3 AND "
        "(scan = ?1 OR scan >= (SELECT gone_before FROM notified_account WHERE account = ?2))">()
        .run(scan, account, find);
    if (database_.changed_rows() > 0) return false;
    statement<"DELETE FROM told_find WHERE account = ? AND find = ?">().run(account, find);
    if (database_.changed_rows() > 0)
        statement<"UPDATE notified_account SET told = told - 1 WHERE account = ?">().run(account);
    statement<"INSERT OR IGNORE INTO notified_account(account) VALUES(?)">().run(account);
    statement<"UPDATE notified_account SET told = told + 1 WHERE account = ? AND told < ?">().run(account, most_told);
    if (database_.changed_rows() > 0)
        statement<"INSERT INTO told_find(account, find, scan, first_ms) VALUES(?, ?, ?, ?)">().run(account, find, scan,
                                                                                                   found_ms);
    return true;
}

bool Outbox::has_mails(AccountId account) {
    return settings_->notifications.owners && settings_of(account).enabled;
}

void Outbox::note_find(AccountId account, TaskId scan, const FoundContent& found, std::int64_t found_ms) {
    if (settings_ == nullptr) return;
    database_.write();
    if (!is_new(account, scan, found, found_ms)) return;
    if (const auto event = add_event(NoticeKind::Find, account, scan); event != 0) add_find(event, 1, found, found_ms);
    if (!settings_->notifications.administrator.empty()) {
        const auto name =
            statement<"SELECT name FROM account WHERE id = ?">().first([](Row row) { return row.bytes(0); }, account);
        add_to_digest(account_figure + name.value_or(""));
        add_to_digest("new finds");
    }
    if (!has_mails(account)) return;
    const auto mail = collecting(NoticeKind::Finds, account);
    const auto number = statement<"UPDATE notice SET finds = finds + 1, task = ? WHERE id = ? RETURNING finds">().first(
        [](Row row) { return row.number<std::uint64_t>(0); }, scan, mail);
    if (number && *number <= most_noticed_finds) add_find(mail, *number, found, found_ms);
}

void Outbox::note_step(AccountId account, const std::string& path, RecordState state) {
    const auto mail = statement<"SELECT id FROM notice WHERE account = ? AND kind = ? AND state < 2 LIMIT 1">().number(
        account, NoticeKind::Finds);
    if (!mail) return;
    database_.write();
    statement<"UPDATE notice_find SET settled = 1, state = ? WHERE notice = ? AND path = ?">().run(state, *mail, path);
}

void Outbox::note_ended(const AccountTask& ended, const HistoryEntry& entry) {
    if (settings_ == nullptr) return;
    const auto& task = ended.task;
    if (entry.what == AskedFor::Restoration) return;
    const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(entry.ended_ms - entry.asked_ms, 0) / 1000);
    if (entry.what == AskedFor::Disinfection) {
        const auto event = add_event(NoticeKind::Disinfected, task.account, task.id, name_of(entry.phase));
        for (const auto& [state, files] : entry.steps) {
            if (event != 0) add_figure(event, name_of(state), files);
            add_to_digest(std::string("files, of disinfections: ") + name_of(state), files);
        }
        if (event != 0) add_figure(event, "seconds", seconds);
        return;
    }
    database_.write();
    statement<"UPDATE notice SET state = 1, due_ms = ? WHERE account = ? AND kind = ? AND state = 0">().run(
        now_ms(), task.account, NoticeKind::Finds);
    // What it did not meet again is gone.
    if (task.outcome == Outcome::Completed && task.scan_type == ScanType::Home)
        statement<"UPDATE notified_account SET gone_before = max(gone_before, ?) WHERE account = ? AND told > 0">().run(
            task.id, task.account);
    const auto event = add_event(NoticeKind::ScanEnded, task.account, task.id, name_of(entry.phase),
                                 std::string(row_of(entry.scan_type).name));
    if (event != 0) {
        add_figure(event, "files", entry.files);
        add_figure(event, "infected", entry.infected);
        add_figure(event, "ignored", entry.ignored);
        add_figure(event, "unscanned", entry.unscanned);
        add_figure(event, "seconds", seconds);
    }
    add_to_digest(std::string("scans: ") + name_of(entry.phase));
}

void Outbox::note_system_scan_ended(const SystemScanProgress& scan) {
    const auto event = add_event(NoticeKind::SystemScanEnded, 0, 0, scan.cancelled ? "cancelled" : "completed");
    add_to_digest("scans of all accounts that ended");
    if (event == 0) return;
    add_figure(event, "accounts", scan.accounts);
    add_figure(event, "not_completed", scan.not_completed);
    add_figure(event, "left_out", scan.left_out);
    add_figure(event, "files", scan.total_files);
    add_figure(event, "infected", scan.infected_files);
    add_figure(event, "unscanned", scan.unscanned_files);
}

void Outbox::note_brake(const std::string& signature, const std::string& why) {
    static_cast<void>(add_event(NoticeKind::Brake, 0, 0, why, signature));
    add_to_digest("deletions are held for " + signature + ": " + why);
}

void Outbox::note_signatures(Problem problem, const std::string& text) {
    if (settings_ == nullptr) return;
    const auto known = statement<"SELECT text FROM told_problem WHERE problem = ?">().first(
        [](Row row) { return row.bytes(0); }, problem);
    // How old they are changes every day.
    if (known.value_or("") == text || (problem == Problem::Old && !text.empty() && !known.value_or("").empty())) return;
    database_.write();
    statement<"INSERT OR REPLACE INTO told_problem(problem, text) VALUES(?, ?)">().run(problem, text);
    if (text.empty()) return;
    static_cast<void>(add_event(NoticeKind::Signatures, 0, 0, text));
    add_to_digest("signatures: " + text);
}

// ---- What is delivered ---------------------------------------------------------------------------------------------

void Outbox::end_digest(std::int64_t now) {
    const auto open =
        statement<"SELECT id, created_ms FROM notice WHERE account = 0 AND kind = ? AND state = 0 LIMIT 1">().first(
            [](Row row) { return std::pair(row.number(0), row.number(1)); }, NoticeKind::Digest);
    if (!open || settings_ == nullptr || open->second >= last_hour_ms(settings_->notifications.digest_hour, now))
        return;
    if (settings_->notifications.administrator.empty()) return remove(open->first);
    database_.write();
    statement<"UPDATE notice SET state = 1 WHERE id = ?">().run(open->first);
}

std::optional<Outbox::Due> Outbox::first_due(NoticeChannel channel, std::int64_t now) {
    return statement<
               "SELECT id, account, state = 2, kind, due_ms FROM notice INDEXED BY due_notices "
               "WHERE channel = ? AND state > 0 AND not_before_ms <= ? ORDER BY not_before_ms, id LIMIT 1">()
        .first(
            [](Row row) {
                Due due;
                Cursor(row).into(due.id, due.account, due.sealed, due.kind, due.due_ms);
                return due;
            },
            channel, now);
}

void Outbox::postpone(NoticeId id, std::int64_t until_ms) {
    database_.write();
    statement<"UPDATE notice SET not_before_ms = ? WHERE id = ?">().run(until_ms, id);
}

std::int64_t Outbox::next_mail_at(AccountId account, std::int64_t now) {
    // One that is on its way already comes first.
    if (const auto under_way =
            statement<"SELECT not_before_ms FROM notice WHERE account = ? AND kind = ? AND state = 2">().number(
                account, NoticeKind::Finds))
        return std::max(*under_way, now) + first_pause_ms;
    std::int64_t day_began = 0;
    std::uint64_t mails = 0;
    statement<"SELECT day_began_ms, mails FROM notified_account WHERE account = ?">().each(
        [&](Row row) {
            Cursor(row).into(day_began, mails);
            return false;
        },
        account);
    const bool is_same_day = day_began <= now && now < day_began + day_ms;
    return is_same_day && mails >= settings_->notifications.max_mails_a_day ? day_began + day_ms : now;
}

void Outbox::seal(const Due& due, std::int64_t now) {
    database_.write();
    statement<"UPDATE notice SET state = 2, created_ms = ? WHERE id = ?">().run(now, due.id);
    if (due.kind == NoticeKind::Digest)
        statement<"UPDATE notice SET address = ? WHERE id = ?">().run(settings_->notifications.administrator, due.id);
    if (due.kind != NoticeKind::Finds) return;
    statement<
        "UPDATE notice SET address = coalesce((SELECT address FROM notified_account WHERE "
        "notified_account.account = notice.account), x'') WHERE id = ?">()
        .run(due.id);
    statement<
        "UPDATE notified_account SET "
        "mails = CASE WHEN day_began_ms <= ?1 AND ?1 < day_began_ms + ?2 THEN mails + 1 ELSE 1 END, "
        "day_began_ms = CASE WHEN day_began_ms <= ?1 AND ?1 < day_began_ms + ?2 THEN day_began_ms ELSE ?1 END "
        "WHERE account = ?3">()
        .run(now, day_ms, due.account);
}

Notice Outbox::get(NoticeId id) {
    Notice notice;
    statement<
        "SELECT notice.id, kind, created_ms, task, coalesce(name, x''), coalesce(uid, 0), address, text, detail, finds "
        "FROM notice LEFT JOIN account ON account.id = notice.account WHERE notice.id = ?">()
        .each(
            [&](Row row) {
                Cursor(row).into(notice.id, notice.kind, notice.created_ms, notice.task, notice.account, notice.uid,
                                 notice.address, notice.text, notice.detail, notice.find_count);
                return false;
            },
            id);
    if (notice.kind == NoticeKind::Finds && !notice.detail.empty()) return notice;
    statement<
        "SELECT path, virus, found_ms, settled, state FROM notice_find WHERE notice = ? ORDER BY number LIMIT ?">()
        .each(
            [&](Row row) {
                NoticedFind find;
                Cursor(row).into(find.path, find.virus, find.found_ms, find.settled, find.state);
                notice.finds.push_back(std::move(find));
                return true;
            },
            id, most_noticed_finds);
    // Of a digest, accounts come last, those with most finds first.
    statement<
        "SELECT name, number FROM notice_figure WHERE notice = ? "
        "ORDER BY substr(name, 1, 8) = x'6163636f756e7420', number DESC LIMIT ?">()
        .each(
            [&](Row row) {
                notice.figures.push_back({row.bytes(0), row.number<std::uint64_t>(1)});
                return true;
            },
            id, most_figures);
    const auto figures = statement<"SELECT count(*) FROM notice_figure WHERE notice = ?">().number(id).value_or(0);
    const auto left_out = static_cast<std::uint64_t>(figures) - notice.figures.size();
    if (left_out > 0) notice.figures.back() = {"further lines, for which there is no room", left_out + 1};
    return notice;
}

void Outbox::settle(NoticeId id, Delivered delivered, std::int64_t now) {
    if (delivered == Delivered::Yes) return remove(id);
    NoticeKind kind{};
    std::int64_t refusals = 0;
    bool has_address = false;
    bool has_names = false;
    const auto found = statement<"SELECT kind, refusals, address > x'', detail = x'' FROM notice WHERE id = ?">().each(
        [&](Row row) {
            Cursor(row).into(kind, refusals, has_address, has_names);
            return false;
        },
        id);
    if (found == 0) return;
    if (channel_of(kind) == NoticeChannel::Hook) let_others_pass(id, now);
    // It has its code to prove that it gets mail.
    if (delivered == Delivered::Refused && kind == NoticeKind::ConfirmAddress) return remove(id);
    database_.write();
    const bool is_refused = delivered == Delivered::Refused;
    const bool leaves_names_out = is_refused && kind == NoticeKind::Finds && has_names;
    const bool to_local = is_refused && !leaves_names_out && has_address && kind != NoticeKind::Digest;
    if (leaves_names_out) statement<"UPDATE notice SET detail = ? WHERE id = ?">().run(std::string(without_names), id);
    if (to_local) statement<"UPDATE notice SET address = x'', detail = x'' WHERE id = ?">().run(id);
    statement<"UPDATE notice SET refusals = refusals + 1, not_before_ms = ? WHERE id = ?">().run(
        leaves_names_out || to_local ? now : now + pause_after(kind, refusals), id);
}

void Outbox::let_others_pass(NoticeId id, std::int64_t now) {
    database_.write();
    statement<
        "UPDATE notice SET not_before_ms = max(not_before_ms, ?2) WHERE channel = 1 AND account > 0 AND "
        "account = (SELECT account FROM notice WHERE id = ?1)">()
        .run(id, now + others_pass_ms);
}

void Outbox::forget(AccountId account) {
    database_.write();
    statement<"DELETE FROM notice_find WHERE notice IN (SELECT id FROM notice WHERE account = ? AND channel = 0)">()
        .run(account);
    statement<"DELETE FROM notice WHERE account = ? AND channel = 0">().run(account);
    statement<
        "UPDATE notified_account SET address = x'', unconfirmed = x'', code = x'', enabled = 1, gone_before = ? "
        "WHERE account = ?">()
        .run(all_scans, account);
}

// ---- Where an owner's mails go -------------------------------------------------------------------------------------

Notifications Outbox::settings_of(AccountId account) {
    Notifications found;
    statement<"SELECT enabled, address, unconfirmed FROM notified_account WHERE account = ?">().each(
        [&](Row row) {
            Cursor(row).into(found.enabled, found.address, found.unconfirmed);
            return false;
        },
        account);
    if (settings_ != nullptr && settings_->notifications.owners)
        found.most_mails_a_day = settings_->notifications.max_mails_a_day;
    return found;
}

void Outbox::mail_to(AccountId account, NoticeKind kind, const std::string& address, const std::string& text) {
    const auto id = add(kind, account, 0, text);
    statement<"UPDATE notice SET address = ? WHERE id = ?">().run(address, id);
}

bool Outbox::may_change(AccountId account, std::int64_t now) {
    database_.write();
    statement<"INSERT OR IGNORE INTO notified_account(account) VALUES(?)">().run(account);
    statement<
        "UPDATE notified_account SET changes = 0, changes_began_ms = ?1 WHERE account = ?2 AND "
        "(changes_began_ms > ?1 OR changes_began_ms + ?3 <= ?1)">()
        .run(now, account, day_ms);
    statement<"UPDATE notified_account SET changes = changes + 1 WHERE account = ? AND changes < ?">().run(
        account, most_changes_a_day);
    return database_.changed_rows() > 0;
}

bool Outbox::set_address(AccountId account, const std::string& address, std::int64_t now) {
    if (!may_change(account, now)) return false;
    const auto before = settings_of(account).address;
    const bool is_confirmed = address.empty() || address == before;
    const auto code = is_confirmed ? std::string() : random_hex(code_bytes);
    statement<"UPDATE notified_account SET unconfirmed = ?, code = ?, code_ms = ? WHERE account = ?">().run(
        is_confirmed ? std::string() : address, code, now, account);
    if (!is_confirmed) {
        mail_to(account, NoticeKind::ConfirmAddress, address, code);
    } else if (address != before) {
        statement<"UPDATE notified_account SET address = x'' WHERE account = ?">().run(account);
        mail_to(account, NoticeKind::AddressChanged, before, "");
    }
    return true;
}

bool Outbox::confirm(AccountId account, const std::string& code, std::int64_t now) {
    const auto before = settings_of(account);
    const auto good = statement<
                          "SELECT 1 FROM notified_account WHERE account = ? AND unconfirmed > x'' AND code = ? AND "
                          "code_ms <= ? AND code_ms > ?">()
                          .number(account, code, now, now - code_good_for_ms);
    if (!good || code.empty()) return false;
    database_.write();
    statement<"UPDATE notified_account SET address = unconfirmed, unconfirmed = x'', code = x'' WHERE account = ?">()
        .run(account);
    mail_to(account, NoticeKind::AddressChanged, before.address, before.unconfirmed);
    return true;
}

bool Outbox::set_enabled(AccountId account, bool enabled, std::int64_t now) {
    const auto before = settings_of(account);
    if (before.enabled == enabled) return true;
    if (!may_change(account, now)) return false;
    statement<"UPDATE notified_account SET enabled = ? WHERE account = ?">().run(enabled, account);
    if (enabled) {
        // What was found meanwhile, no mail has told.
        statement<
            "UPDATE notified_account SET gone_before = (SELECT coalesce(max(id), 0) + 1 FROM task) WHERE account = ?">()
            .run(account);
        return true;
    }
    if (const auto mail =
            statement<"SELECT id FROM notice WHERE account = ? AND kind = ? AND state < 2 LIMIT 1">().number(
                account, NoticeKind::Finds))
        remove(*mail);
    mail_to(account, NoticeKind::SwitchedOff, before.address, "");
    return true;
}

bool Outbox::prune() {
    const auto account =
        statement<"SELECT account FROM notified_account INDEXED BY accounts_to_prune WHERE gone_before > 0 LIMIT 1">()
            .number();
    if (!account) return false;
    database_.write();
    statement<
        "DELETE FROM told_find WHERE account = ?1 AND find IN (SELECT find FROM told_find INDEXED BY told_by_scan "
        "WHERE account = ?1 AND scan < (SELECT gone_before FROM notified_account WHERE account = ?1) LIMIT ?2)">()
        .run(*account, rows_at_once);
    const auto gone = database_.changed_rows();
    statement<
        "UPDATE notified_account SET told = told - ?1, gone_before = CASE ?1 WHEN 0 THEN 0 ELSE gone_before END "
        "WHERE account = ?2">()
        .run(gone, *account);
    return true;
}

}  // namespace clamscanner
