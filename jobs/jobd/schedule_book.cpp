#include "jobs/jobd/schedule_book.h"

#include <cstdlib>
#include <ctime>

namespace clamscanner {
namespace {

constexpr AccountId all_are_reviewed = -1;
constexpr std::size_t reviewed_at_once = 20;
// What the two clocks may differ by between two looks, unless somebody set one.
constexpr std::int64_t drift_ms = 30'000;

}  // namespace

bool weakens(const Schedule& before, const Schedule& now) {
    if (!before.on) return false;
    if (!now.on || now.hour != before.hour) return true;
    return (now.day != before.day && now.day != ScheduleDay::Every) ||
           (now.scan_type != before.scan_type && now.scan_type != ScanType::Home);
}

// The administrator may have allowed fewer hours since.
ScheduleTimes ScheduleBook::times_of(const AccountSchedule& known) const {
    const auto& hours = settings_.schedules;
    const auto hour = hours.has_hour(known.schedule.hour) ? known.schedule.hour : hours.first_hour;
    return {known.schedule.day, static_cast<std::uint8_t>(hour), known.spread};
}

std::int64_t ScheduleBook::due_ms(const AccountSchedule& known) const {
    return times_of(known).due(known.done, clock_() / 1000, ledger_.running_time().now()) * 1000;
}

ScheduleStatus ScheduleBook::status(AccountId account) {
    ScheduleStatus status;
    status.allowed = settings_.schedules.allowed;
    const auto known = ledger_.schedules().of(account);
    if (!known) return status;
    status.schedule = known->schedule;
    if (!status.allowed) return status;
    status.next_time = known->due_ms / 1000;
    status.next_local = local_time(status.next_time);
    return status;
}

void ScheduleBook::set(const AccountFacts& facts, const Schedule& schedule) {
    const auto account = ledger_.tasks().account_of(facts);
    auto& table = ledger_.schedules();
    const auto before = table.of(account);
    if (before && before->schedule == schedule) return;
    if (!schedule.on) return table.remove(account);
    AccountSchedule fresh{account, schedule, spread_of(facts.name), {}, 0};
    fresh.done = {times_of(fresh).latest(clock_() / 1000).day, ledger_.running_time().now()};
    // What has only been made stronger may still owe a scan.
    if (before && !weakens(before->schedule, schedule)) fresh.done = before->done;
    fresh.due_ms = due_ms(fresh);
    table.set(fresh);
}

bool ScheduleBook::may_begin_now() const {
    return settings_.schedules.allowed && settings_.schedules.has_hour(local_hour(clock_() / 1000));
}

std::vector<AccountSchedule> ScheduleBook::due(std::size_t limit) {
    if (!may_begin_now()) return {};
    return ledger_.schedules().due(clock_(), limit);
}

void ScheduleBook::mark_done(const AccountSchedule& schedule) {
    auto known = schedule;
    known.done = {times_of(known).latest(clock_() / 1000).day, ledger_.running_time().now()};
    ledger_.schedules().mark_done(known.account, known.done, due_ms(known));
}

void ScheduleBook::postpone(AccountId account, std::int64_t ms) {
    ledger_.schedules().set_due(account, clock_() + ms);
}

void ScheduleBook::keep_up() {
    ::tzset();
    const auto now = clock_();
    const auto ahead = now - ledger_.running_time().now();
    const auto offset = local_offset(now / 1000);
    if (std::abs(ahead - ahead_ms_) > drift_ms || offset != offset_s_) begin_review();
    ahead_ms_ = ahead;
    offset_s_ = offset;
    review_some();
}

// One that is due already stays so: its slot may not be found again.
void ScheduleBook::review_some() {
    if (reviewed_ == all_are_reviewed) return;
    const auto some = ledger_.schedules().behind(reviewed_, reviewed_at_once);
    for (const auto& known : some) {
        reviewed_ = known.account;
        if (known.due_ms <= clock_()) continue;
        if (const auto due = due_ms(known); due != known.due_ms) ledger_.schedules().set_due(known.account, due);
    }
    if (some.size() < reviewed_at_once) reviewed_ = all_are_reviewed;
}

}  // namespace clamscanner
