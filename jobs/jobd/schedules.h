// Queues the scans of the accounts' schedules when they are due, a few at a time. An account whose own job is queued or
// running has its turn afterwards. One that is gone loses its schedule; of one that is suspended, held or whose files
// do not answer, the scan ends at once and says so (Dispatcher).
#pragma once

#include <map>
#include <set>

#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/schedule_book.h"

namespace clamscanner {

class Schedules {
 public:
    Schedules(const JobContext& context, AccountLookup& accounts, Dispatcher& dispatcher);

    [[nodiscard]] ScheduleBook& book() noexcept { return book_; }

 private:
    void tick();
    [[nodiscard]] std::size_t room();
    void ask_for(const AccountSchedule& schedule);
    void queue(AccountId account, const AccountLookup::Entry& entry);
    void take_turn_of(uid_t uid);
    void pass_over(const AccountSchedule& schedule, const AccountFacts& facts, const std::string& why);

    JobContext context_;
    AccountLookup& accounts_;
    Dispatcher& dispatcher_;
    ScheduleBook book_;
    std::set<AccountId> asked_;              // whose facts are being looked up
    std::set<TaskId> under_way_;             // scans that this has queued
    std::map<uid_t, AccountSchedule> busy_;  // whose scan was due while they had a job
    EventLoop::Timer next_tick_;
};

}  // namespace clamscanner
