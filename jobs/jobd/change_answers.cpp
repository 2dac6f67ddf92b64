#include "jobs/jobd/change_answers.h"

#include "auth/base/audit.h"
#include "auth/base/log.h"
#include "auth/base/mail_address.h"
#include "jobs/jobd/brake.h"
#include "jobs/jobd/change_texts.h"

namespace clamscanner {
namespace {

// Of the administrator's questions, that one piece looks at.
constexpr std::size_t finds_at_once = 500;
// Of what is ignored, or no longer, before the answer.
constexpr auto settled_at_once = std::chrono::milliseconds(4);
// Of a path, in the audit log.
constexpr std::size_t longest_logged_path = 4096;

constexpr const char* too_slow_text = "The request took too long, so nothing was done; try again.";
constexpr const char* too_many_changes_text =
    "This was changed too often today, and each change has a mail sent; try again tomorrow.";
constexpr const char* busy_text =
    "A scan or a disinfection is already queued or running for this account; wait until it has ended.";

AuditEvent event_of(const char* name, const AccountFacts& facts, const Asker& asker) {
    AuditEvent event(name);
    event.text("account", facts.name).number("uid", facts.uid).text("by", name_of(asker.by));
    if (!asker.which.empty()) event.text("which", asker.which);
    if (!asker.from.empty()) event.text("from", asker.from);
    return event;
}

constexpr AskedBy asked_by(VouchedBy by) {
    switch (by) {
        case VouchedBy::Password:
            return AskedBy::Owner;
        case VouchedBy::Token:
            return AskedBy::Token;
        case VouchedBy::Root:
            break;
    }
    return AskedBy::Administrator;
}

Declined needs_password(const std::string& what, const AccountFacts& facts) {
    return {what +
            " needs the account's password, since whatever runs as the account could ask for it. Call the function "
            "over HTTP, with the password or with a token made with create_full_access; at a shell, root can: uapi "
            "--user=" +
            printable(facts.name) + "."};
}

}  // namespace

ChangeAnswers::ChangeAnswers(const JobContext& context, Dispatcher& dispatcher, ScanHistory& history,
                             SystemScans& system_scans, ScheduleBook& schedules, const std::set<uid_t>& host_users)
    : context_(context),
      dispatcher_(dispatcher),
      history_(history),
      system_scans_(system_scans),
      schedules_(schedules),
      preparations_(context.loop, context.ledger, [this](uid_t uid) { dispatcher_.tell_free(uid); }),
      host_users_(host_users) {}

Encoded ChangeAnswers::answer(const AccountFacts& facts, const std::string& question) {
    using Row = Handler<ChangeAnswers, Encoded, const AccountFacts&>;
    static constexpr Row table[] = {
        handles<&ChangeAnswers::start_scan>,        handles<&ChangeAnswers::cancel_scan>,
        handles<&ChangeAnswers::disinfect>,         handles<&ChangeAnswers::change_quarantine>,
        handles<&ChangeAnswers::start_system_scan>, handles<&ChangeAnswers::ignore_files>,
        handles<&ChangeAnswers::unignore_files>,    handles<&ChangeAnswers::set_schedule>,
        handles<&ChangeAnswers::set_notifications>, handles<&ChangeAnswers::confirm_notifications>,
    };
    return answer_or_decline([&] { return dispatch(table, *this, question, facts); });
}

Encoded ChangeAnswers::answer_administrator(const std::string& question) {
    using Row = Handler<ChangeAnswers, Encoded>;
    static constexpr Row table[] = {
        handles<&ChangeAnswers::scan_all>,
        handles<&ChangeAnswers::system_scan>,
        handles<&ChangeAnswers::held_signatures>,
        handles<&ChangeAnswers::allow_signature>,
        handles<&ChangeAnswers::cancel_system_scan>,
        handles<&ChangeAnswers::all_finds>,
        handles<&ChangeAnswers::quarantine_finds>,
        handles<&ChangeAnswers::task>,
        handles<&ChangeAnswers::service>,
        handles<&ChangeAnswers::ignored_everywhere>,
        handles<&ChangeAnswers::ignore_everywhere>,
        handles<&ChangeAnswers::unignore_everywhere>,
    };
    return answer_or_decline([&] { return dispatch(table, *this, question); });
}

// ---- Of an account -------------------------------------------------------------------------------------------------

Accepted ChangeAnswers::start_scan(const StartScan& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    if (!context_.config.scan_of(asked.scan_type).allowed)
        throw Declined{"scan_type: the administrator has switched off scans of " +
                       std::string(row_of(asked.scan_type).name) + "."};
    const auto id =
        ledger.tasks().queue_scan(ledger.tasks().account_of(facts), asked.scan_type, asked.as_system, asked.full);
    if (!id) throw Declined{busy_text};
    ledger.note_asked(*id, asked.asker);
    dispatcher_.add({ledger.tasks().get(*id), facts});
    return {};
}

Accepted ChangeAnswers::cancel_scan(const CancelScan&, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    const auto task = ledger.tasks().active(ledger.tasks().account_of(facts));
    if (!task || task->kind != TaskKind::Scan || task->outcome != Outcome::None)
        throw Declined{"No scan is queued or running, so there is none to cancel."};
    dispatcher_.cancel_scan(task->id, facts);
    return {};
}

DisinfectionQueued ChangeAnswers::disinfect(Disinfect asked, const AccountFacts& facts) {
    if (asked.actions.empty()) throw Malformed("a disinfection without actions");
    auto& ledger = context_.ledger;
    const auto id = prepare(facts, asked.task);
    try {
        ledger.records().add_actions(id, plan(ledger, facts, std::move(asked.actions)));
    } catch (const Declined&) {
        preparations_.abandon(id);
        throw;
    }
    if (asked.more) return {"", "", static_cast<std::uint64_t>(id)};
    const Task task = queue(id, TaskKind::Disinfection, facts, asked.asker);
    return {task_name(task), log_path(facts), static_cast<std::uint64_t>(id)};
}

TaskId ChangeAnswers::prepare(const AccountFacts& facts, std::uint64_t task) {
    const auto id =
        preparations_.take(context_.ledger.tasks().account_of(facts), static_cast<TaskId>(task & INT64_MAX));
    if (!id) throw Declined{task == 0 ? busy_text : too_slow_text};
    return *id;
}

Task ChangeAnswers::queue(TaskId id, TaskKind kind, const AccountFacts& facts, const Asker& asker) {
    preparations_.finish(id, kind);
    context_.ledger.note_asked(id, asker);
    const Task task = context_.ledger.tasks().get(id);
    dispatcher_.add({task, facts});
    return task;
}

QuarantineQueued ChangeAnswers::change_quarantine(const ChangeQuarantine& asked, const AccountFacts& facts) {
    if (asked.ids.empty()) throw Malformed("a quarantine change without ids");
    auto& ledger = context_.ledger;
    const auto id = prepare(facts, asked.task);
    ledger.records().add_changes(id, ledger.tasks().account_of(facts), asked.ids,
                                 asked.restore ? Action::Restore : Action::Discard);
    if (!asked.more) static_cast<void>(queue(id, TaskKind::Restoration, facts, asked.asker));
    return {static_cast<std::uint64_t>(id)};
}

// Who really asks; empty if nobody vouches for it. Whatever runs as the account can ask for anything in its name, so
// its own word is not enough.
std::optional<Asker> ChangeAnswers::vouched(const Voucher& voucher, const AccountFacts& facts, Asker asker) const {
    if (!is_sealed(read_voucher_key(context_.config.voucher_key()), facts.uid, voucher)) return std::nullopt;
    asker.by = asked_by(voucher.by);
    asker.which = voucher.token;
    return asker;
}

ScheduleStatus ChangeAnswers::set_schedule(const SetSchedule& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    const auto& hours = context_.config.schedules;
    const auto& wanted = asked.schedule;
    const auto account = ledger.tasks().account_of(facts);
    if (wanted.on && !hours.allowed) throw Declined{"Scheduled scans are switched off on this server."};
    if (wanted.on && !context_.config.scan_of(wanted.scan_type).allowed)
        throw Declined{"scan_type: the administrator has switched off scans of " +
                       std::string(row_of(wanted.scan_type).name) + "."};
    if (wanted.on && !hours.has_hour(wanted.hour))
        throw Declined{"hour: scheduled scans do not run at this hour. Accepted: " + std::to_string(hours.first_hour) +
                       " to " + std::to_string(hours.last_hour) + "."};
    const auto before = schedules_.status(account).schedule;
    const auto asker = vouched(asked.voucher, facts, asked.asker);
    if (weakens(before, wanted) && !asker)
        throw needs_password("Having less scanned than before, or at another time,", facts);
    if (before != wanted) {
        schedules_.set(facts, wanted);
        ledger.history().note_change(account, {AskedFor::SetSchedule, asker.value_or(asked.asker), 0,
                                               schedule_text(before, schedules_.status(account).schedule)});
        auto event = event_of("schedule", facts, asker.value_or(asked.asker));
        event.text("days", wanted.on ? name_of(wanted.day) : "never");
        if (wanted.on) event.text("scan_type", row_of(wanted.scan_type).name).number("hour", wanted.hour);
        event.write();
    }
    return schedules_.status(account);
}

Accepted ChangeAnswers::start_system_scan(const StartSystemScan& asked, const AccountFacts& facts) {
    if (!host_users_.contains(facts.uid)) throw Declined{"Only the administrator may have all accounts scanned."};
    return scan_all(asked);
}

FilesIgnored ChangeAnswers::ignore_files(const IgnoreFiles& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    auto ignoring = asked.ignoring;
    const auto asker = vouched(asked.voucher, facts, asked.ignoring.asker);
    if (!asker) throw needs_password("Ignoring a find", facts);
    ignoring.asker = *asker;
    const auto account = ledger.tasks().account_of(facts);
    HistoryTable::Change change{AskedFor::IgnoreFiles, ignoring.asker, 0, ""};
    FilesIgnored answer;
    for (const auto& path : asked.paths) {
        const auto [result, virus] = ledger.finds().ignore(account, path, ignoring);
        answer.results.push_back({result});
        if (result != IgnoreResult::Ignored) continue;
        // Of the mail that may wait.
        ledger.outbox().note_step(account, path, RecordState::NoAction);
        if (change.files++ == 0) change.text = ignored_text(path, virus, ignoring);
        event_of("ignored", facts, ignoring.asker)
            .text("file", path.substr(0, longest_logged_path))
            .text("reason", ignoring.reason)
            .write();
    }
    note(account, change, asked.continues);
    settle_some();
    return answer;
}

void ChangeAnswers::note(AccountId account, const HistoryTable::Change& change, bool continues) {
    auto& history = context_.ledger.history();
    if (change.files == 0) return;
    if (continues)
        history.continue_change(account, change);
    else
        history.note_change(account, change);
}

FilesUnignored ChangeAnswers::unignore_files(const UnignoreFiles& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    const auto account = ledger.tasks().account_of(facts);
    HistoryTable::Change change{AskedFor::UnignoreFiles, asked.asker, 0, ""};
    FilesUnignored answer;
    for (const auto& [row] : asked.rows) {
        const auto id = static_cast<IgnoreList::RowId>(row & INT64_MAX);
        const auto ended = ledger.ignored().end(account, id);
        const auto refused =
            ledger.ignored().is_administrators(id) ? UnignoreResult::Administrators : UnignoreResult::NoSuchRow;
        answer.results.push_back({ended ? UnignoreResult::Ended : refused});
        if (!ended) continue;
        if (change.files++ == 0) change.text = unignored_text(ended->path, ended->virus);
        event_of("no longer ignored", facts, asked.asker).number("row", row).write();
    }
    note(account, change, asked.continues);
    settle_some();
    return answer;
}

// As a rule that is all of it; jobd does the rest piece by piece.
void ChangeAnswers::settle_some() {
    const auto until = Clock::now() + settled_at_once;
    while (context_.ledger.finds().settle_ignored() && Clock::now() < until) {
    }
}

// ---- Where an owner's mails go -------------------------------------------------------------------------------------

Notifications ChangeAnswers::set_notifications(const SetNotifications& asked, const AccountFacts& facts) {
    if (!asked.address.empty() && !is_mail_address(asked.address)) throw Malformed("no mail address");
    const auto asker = vouched(asked.voucher, facts, asked.asker);
    if (!asker) throw needs_password("Changing where mails go", facts);
    auto& outbox = context_.ledger.outbox();
    const auto account = context_.ledger.tasks().account_of(facts);
    const auto now = now_ms();
    const auto before = outbox.settings_of(account);
    // Each part by itself: the second may be declined when the first is done.
    const auto note_part = [&](const std::string& text) {
        if (!text.empty())
            context_.ledger.history().note_change(account, {AskedFor::SetNotifications, *asker, 0, text});
    };
    if (asked.sets_address) {
        if (!outbox.set_address(account, asked.address, now)) throw Declined{too_many_changes_text};
        note_part(address_asked_text(before, asked.address));
    }
    if (asked.sets_enabled) {
        if (!outbox.set_enabled(account, asked.enabled, now)) throw Declined{too_many_changes_text};
        note_part(mails_text(before, outbox.settings_of(account)));
    }
    const auto settings = outbox.settings_of(account);
    event_of("notifications", facts, *asker)
        .text("stage", "set")
        .text("address", settings.address)
        .text("unconfirmed", settings.unconfirmed)
        .text("mails", settings.enabled ? "on" : "off")
        .write();
    return settings;
}

// The code proves that who brings it reads the mails of the new address, which was set with the password.
Notifications ChangeAnswers::confirm_notifications(const ConfirmNotifications& asked, const AccountFacts& facts) {
    auto& outbox = context_.ledger.outbox();
    const auto account = context_.ledger.tasks().account_of(facts);
    const auto before = outbox.settings_of(account);
    if (!outbox.confirm(account, asked.code, now_ms()))
        throw Declined{
            "code: no address waits for this code. It is in the mail that set_notifications had sent to the new "
            "address, and good for a day."};
    const auto settings = outbox.settings_of(account);
    context_.ledger.history().note_change(
        account, {AskedFor::ConfirmNotifications, asked.asker, 0, address_confirmed_text(before, settings)});
    event_of("notifications", facts, asked.asker).text("stage", "confirmed").text("address", settings.address).write();
    return settings;
}

// ---- The administrator ---------------------------------------------------------------------------------------------

Accepted ChangeAnswers::scan_all(const StartSystemScan& asked) {
    std::vector<uid_t> uids;
    for (const auto& account : asked.accounts)
        if (account.uid >= context_.config.login.uid_floor) uids.push_back(account.uid);
    if (auto why = system_scans_.begin(uids, asked.asker.by); !why.empty()) throw Declined{std::move(why)};
    return {};
}

SystemScanProgress ChangeAnswers::system_scan(const AskSystemScan&) {
    return history_.system_scan_progress();
}

HeldSignatures ChangeAnswers::held_signatures(const AskHeldSignatures&) {
    return {Brake(context_.ledger, context_.config).held()};
}

Accepted ChangeAnswers::allow_signature(const AllowSignature& asked) {
    if (Brake(context_.ledger, context_.config).allow(asked.signature)) {
        AuditEvent("deletions allowed").text("signature", asked.signature).text("by", "administrator").write();
        return {};
    }
    throw Declined{"No signature " + printable(asked.signature) + " is held. --list-held shows those that are."};
}

Accepted ChangeAnswers::cancel_system_scan(const CancelSystemScan&) {
    if (system_scans_.cancel()) return {};
    throw Declined{"No scan of all accounts is under way."};
}

AllFinds ChangeAnswers::all_finds(const AskAllFinds& asked) {
    return context_.ledger.finds().all_finds(asked.after & INT64_MAX, asked.signature, finds_at_once);
}

FindsQueued ChangeAnswers::quarantine_finds(const QuarantineFinds& asked) {
    auto& ledger = context_.ledger;
    const auto account = ledger.tasks().find_account(static_cast<AccountId>(asked.account & INT64_MAX));
    if (!account) throw Declined{"There is no such account."};
    FindsQueued queued{asked.task, asked.after & INT64_MAX, 0};
    const auto paths = ledger.finds().paths_of(
        static_cast<AccountId>(asked.account),
        [&](const std::string& signature) { return signature == asked.signature; }, queued.after, finds_at_once);
    if (asked.task == 0 && paths.empty() && queued.after == 0)
        throw Declined{"Its last scan found nothing by this signature that is still there."};
    const auto id = prepare(*account, asked.task);
    std::vector<FileAction> actions;
    for (const auto& path : paths) actions.push_back({path, Action::Quarantine});
    ledger.records().add_actions(id, plan(ledger, *account, std::move(actions)));
    queued.task = static_cast<std::uint64_t>(id);
    queued.files = paths.size();
    if (queued.after == 0) queue(id, TaskKind::Disinfection, *account, {AskedBy::Administrator});
    return queued;
}

AllIgnoredEverywhere ChangeAnswers::ignored_everywhere(const AskIgnoredEverywhere&) {
    return {context_.ledger.ignored().for_all()};
}

Accepted ChangeAnswers::ignore_everywhere(const IgnoreEverywhere& asked) {
    const auto& what = asked.what;
    if (what.virus.empty() && (what.sha256.empty() || !what.pattern.empty()))
        throw Declined{"A path alone ignores nothing: name the signature, too."};
    if (!what.sha256.empty() && !what.pattern.empty())
        throw Declined{"A content is the same wherever it lies: leave the path out."};
    if (!context_.ledger.ignored().add_for_all(what, {what.reason, what.expires_ms, {AskedBy::Administrator}}))
        throw Declined{"The list is full. --ignore list shows it; --ignore remove makes room."};
    AuditEvent("ignored everywhere")
        .text("signature", what.virus)
        .text("sha256", what.sha256)
        .text("path", what.pattern)
        .text("reason", what.reason)
        .text("by", "administrator")
        .write();
    return {};
}

Accepted ChangeAnswers::unignore_everywhere(const UnignoreEverywhere& asked) {
    if (!context_.ledger.ignored().end_for_all(static_cast<IgnoreList::RowId>(asked.id & INT64_MAX)))
        throw Declined{"There is no entry " + std::to_string(asked.id) + ". --ignore list shows them."};
    AuditEvent("no longer ignored everywhere").number("row", asked.id).text("by", "administrator").write();
    return {};
}

TaskReport ChangeAnswers::task(const AskTask& asked) {
    auto entry = context_.ledger.history().of_task(static_cast<TaskId>(asked.task & INT64_MAX));
    if (!entry) return {};
    return {true, *std::move(entry)};
}

ServiceReport ChangeAnswers::service(const AskService&) {
    constexpr std::size_t failures_shown = 5;
    auto& ledger = context_.ledger;
    ServiceReport report;
    dispatcher_.report(report);
    for (const auto& held : Brake(ledger, context_.config).held()) report.held_signatures += held.allowed ? 0 : 1;
    report.database_bytes = ledger.database().size();
    const auto quarantine = ledger.quarantine().sums();
    report.quarantined_files = quarantine.files;
    report.quarantined_bytes = quarantine.bytes;
    report.failures = ledger.history().failures(failures_shown);
    return report;
}

}  // namespace clamscanner
