#include "jobs/jobd/system_scans.h"

#include <algorithm>

#include "auth/base/audit.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 500ms;
// A job that takes longer no longer counts against the limit: its account may be slowing it down on purpose.
constexpr std::int64_t slow_ms = 600'000;

}  // namespace

SystemScans::SystemScans(const JobContext& context, ScanHistory& history, AccountLookup& accounts,
                         Dispatcher& dispatcher)
    : context_(context), history_(history), accounts_(accounts), dispatcher_(dispatcher) {
    // An account that is always busy gets its job as soon as its own one is over.
    dispatcher_.when_free([this](uid_t uid) {
        const auto scan = history_.open_system_scan();
        if (!scan) return;
        if (history_.is_waiting(*scan, uid)) ask_for(*scan, uid);
        proceed(*scan);
    });
    tick();
}

std::string SystemScans::begin(const std::vector<uid_t>& accounts, AskedBy by) {
    if (!context_.config.scan_of(ScanType::Home).allowed) return "The administrator has switched off scans of home.";
    if (accounts.empty()) return "There is no account to scan.";
    const auto scan = history_.begin_system_scan(accounts);
    if (!scan) return "A scan of all accounts is already under way.";
    context_.ledger.history().set_asker_of_system_scan(*scan, by);
    AuditEvent("scan of all accounts")
        .text("stage", "begun")
        .text("by", name_of(by))
        .number("accounts", accounts.size())
        .write();
    last_ = 0;
    return "";
}

bool SystemScans::cancel() {
    const auto scan = history_.open_system_scan();
    if (!scan) return false;
    history_.mark_cancelled(*scan);
    history_.leave_out_waiting(*scan);
    for (const TaskId job : history_.open_jobs(*scan)) {
        const auto known = context_.ledger.tasks().with_account(job);
        if (known.task.outcome == Outcome::None) dispatcher_.cancel_scan(job, known.account);
    }
    AuditEvent("scan of all accounts").text("stage", "cancelled").text("by", "administrator").write();
    return true;
}

void SystemScans::tick() {
    if (const auto scan = history_.open_system_scan()) proceed(*scan);
    next_tick_ = context_.loop.after(tick_interval, [this] { tick(); });
}

void SystemScans::proceed(ScanHistory::SystemScanId scan) {
    const bool is_too_late = is_overdue(context_, history_.begun_running_ms(scan));
    const auto under_way =
        history_.unfinished_jobs(scan, context_.ledger.running_time().now() - slow_ms) + asked_.size();
    const auto limit = static_cast<std::size_t>(2 * context_.config.jobs.max_running);
    const auto room = limit > under_way ? limit - under_way : 0;
    const auto uids = history_.waiting_accounts(scan, last_, std::max<std::size_t>(room, 1));
    if (uids.empty()) {
        const bool nobody_waits = std::exchange(last_, 0) == 0;
        if (nobody_waits && asked_.empty() && !history_.has_unfinished_jobs(scan)) {
            history_.end_system_scan(scan);
            report_end();
        }
        return;
    }
    if (is_too_late)
        for (const uid_t uid : uids) history_.leave_out(scan, uid);
    if (room == 0 || is_too_late) return;
    for (const uid_t uid : uids) {
        last_ = uid;
        ask_for(scan, uid);
    }
}

void SystemScans::report_end() {
    const auto done = history_.system_scan_progress();
    context_.ledger.outbox().note_system_scan_ended(done);
    AuditEvent("scan of all accounts")
        .text("stage", "ended")
        .number("accounts", done.accounts)
        .number("not_completed", done.not_completed)
        .number("left_out", done.left_out)
        .number("files", done.total_files)
        .number("infected", done.infected_files)
        .number("ignored", done.ignored_files)
        .number("unscanned", done.unscanned_files)
        .number("seconds",
                static_cast<std::uint64_t>(std::max<std::int64_t>(done.ended_ms - done.started_ms, 0) / 1000))
        .write();
}

void SystemScans::ask_for(ScanHistory::SystemScanId scan, uid_t uid) {
    if (!asked_.insert(uid).second) return;
    accounts_.ask(uid, [this, scan, uid](const AccountLookup::Entry& entry) { queue(scan, uid, entry); });
}

// The next account takes its place at once: there may be many without a home.
void SystemScans::leave_out(ScanHistory::SystemScanId scan, uid_t uid) {
    history_.leave_out(scan, uid);
    next_tick_ = context_.loop.after(0ms, [this] { tick(); });
}

void SystemScans::queue(ScanHistory::SystemScanId scan, uid_t uid, const AccountLookup::Entry& entry) {
    asked_.erase(uid);
    if (entry.failed || !history_.is_waiting(scan, uid)) return;  // it is tried again, or has its job already
    // Of a home that hangs the job ends at once, and says so: left out, it would count as scanned.
    if (!entry.facts || entry.home == AccountLookup::Home::Missing) return leave_out(scan, uid);
    auto& ledger = context_.ledger;
    if (const auto id = history_.queue_job(scan, uid, ledger.tasks().account_of(*entry.facts)))
        dispatcher_.add({ledger.tasks().get(*id), *entry.facts});
}

}  // namespace clamscanner
