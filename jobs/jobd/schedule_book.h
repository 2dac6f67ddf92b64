// What the accounts' schedules ask for, and what is due now, by a clock that may be set at any time. It starts nothing
// (schedules.h does). Used by jobd alone; throws DatabaseError.
#pragma once

#include <functional>
#include <vector>

#include "jobs/jobd/ledger_tables.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class ScheduleBook {
 public:
    // Both must outlive this. `clock`: milliseconds since the epoch; tests have one of their own.
    ScheduleBook(LedgerTables& ledger, const Settings& settings, std::function<std::int64_t()> clock = now_ms)
        : ledger_(ledger), settings_(settings), clock_(std::move(clock)) {}

    [[nodiscard]] ScheduleStatus status(AccountId account);
    // Switches it off if it is not on. What lies before now is not made up for. The same as before changes nothing.
    void set(const AccountFacts& facts, const Schedule& schedule);

    [[nodiscard]] bool may_begin_now() const;
    // Those that are due, if scans may begin at this hour: the one that waits longest first.
    [[nodiscard]] std::vector<AccountSchedule> due(std::size_t limit);
    // Its scan is queued, or passed over: for all slots that have come.
    void mark_done(const AccountSchedule& schedule);
    // It is tried again this much later.
    void postpone(AccountId account, std::int64_t ms);

    // Call it before each due(): notices that the clock was set, or the time zone changed, and reckons anew when each
    // is due, some at a time. Also after the settings have changed: begin_review().
    void keep_up();
    void begin_review() { reviewed_ = 0; }

 private:
    [[nodiscard]] ScheduleTimes times_of(const AccountSchedule& schedule) const;
    [[nodiscard]] std::int64_t due_ms(const AccountSchedule& schedule) const;
    void review_some();

    LedgerTables& ledger_;
    const Settings& settings_;
    std::function<std::int64_t()> clock_;
    AccountId reviewed_ = 0;     // all up to this one; -1: all
    std::int64_t ahead_ms_ = 0;  // of the time of day, before the host's running time
    std::int64_t offset_s_ = 0;  // of the local time
};

// Whether it scans less, or later, than before: its owner's choice alone, never that of what runs as the account.
[[nodiscard]] bool weakens(const Schedule& before, const Schedule& now);

}  // namespace clamscanner
