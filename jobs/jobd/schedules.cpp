#include "jobs/jobd/schedules.h"

#include <algorithm>

#include "auth/base/audit.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 1s;
// In one turn of the loop.
constexpr std::size_t queued_at_once = 4;
// A scan that takes longer no longer counts against the limit: its account may be slowing it down on purpose.
constexpr std::int64_t slow_ms = 600'000;

}  // namespace

Schedules::Schedules(const JobContext& context, AccountLookup& accounts, Dispatcher& dispatcher)
    : context_(context), accounts_(accounts), dispatcher_(dispatcher), book_(context.ledger, context.config) {
    for (const auto& queued : context_.ledger.tasks().queued())
        if (queued.task.scheduled) under_way_.insert(queued.task.id);
    dispatcher_.when_free([this](uid_t uid) { take_turn_of(uid); });
    tick();
}

void Schedules::tick() {
    book_.keep_up();
    if (const auto limit = std::min(room(), queued_at_once); limit > 0)
        for (const auto& schedule : book_.due(limit + asked_.size())) ask_for(schedule);
    next_tick_ = context_.loop.after(tick_interval, [this] { tick(); });
}

// Few wait in the queue at a time: an account whose scan does is busy for its owner.
std::size_t Schedules::room() {
    const auto now = context_.ledger.running_time().now();
    std::erase_if(under_way_, [&](TaskId id) {
        const auto task = context_.ledger.tasks().get(id);
        return task.state == TaskState::Ended || (task.begun_running_ms != 0 && now - task.begun_running_ms > slow_ms);
    });
    const auto limit = static_cast<std::size_t>(2 * context_.config.jobs.max_running);
    const auto taken = under_way_.size() + asked_.size();
    return limit > taken ? limit - taken : 0;
}

void Schedules::ask_for(const AccountSchedule& schedule) {
    const auto known = context_.ledger.tasks().find_account(schedule.account);
    if (!known) return context_.ledger.schedules().remove(schedule.account);
    if (!asked_.insert(schedule.account).second) return;
    accounts_.ask(known->uid, [this, account = schedule.account](const AccountLookup::Entry& entry) {
        asked_.erase(account);
        queue(account, entry);
    });
}

void Schedules::queue(AccountId account, const AccountLookup::Entry& entry) {
    auto& ledger = context_.ledger;
    const auto schedule = ledger.schedules().of(account);
    const auto facts = ledger.tasks().find_account(account);
    if (!schedule || !facts) return;
    const auto later = static_cast<std::int64_t>(context_.config.jobs.retry_seconds) * 1000;
    const bool is_same = entry.home == AccountLookup::Home::Seen && entry.facts && *entry.facts == *facts;
    if (!is_same && !entry.failed && entry.is_another_than(*facts)) return ledger.schedules().remove(account);
    if (!is_same) return book_.postpone(account, later);
    if (!context_.config.scan_of(schedule->schedule.scan_type).allowed)
        return pass_over(*schedule, *facts, "the administrator has switched off scans of this type");
    const auto id = ledger.tasks().queue_scan(account, schedule->schedule.scan_type, false);
    if (!id) {
        busy_.insert_or_assign(facts->uid, *schedule);
        return book_.postpone(account, later);
    }
    busy_.erase(facts->uid);
    ledger.schedules().mark_scan(*id);
    ledger.note_asked(*id, {AskedBy::Schedule});
    book_.mark_done(*schedule);
    under_way_.insert(*id);
    dispatcher_.add({ledger.tasks().get(*id), *facts});
}

// An account that is always busy, perhaps by malware's doing, gets its scan as soon as its own job is over.
void Schedules::take_turn_of(uid_t uid) {
    const auto found = busy_.extract(uid);
    if (found.empty() || room() == 0 || !book_.may_begin_now()) return;
    const auto schedule = context_.ledger.schedules().of(found.mapped().account);
    if (schedule && schedule->schedule == found.mapped().schedule) ask_for(*schedule);
}

void Schedules::pass_over(const AccountSchedule& schedule, const AccountFacts& facts, const std::string& why) {
    book_.mark_done(schedule);
    AuditEvent("scan")
        .text("stage", "passed over")
        .text("account", facts.name)
        .text("by", "schedule")
        .text("why", why)
        .write();
}

}  // namespace clamscanner
