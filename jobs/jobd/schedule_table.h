// The schedules of accounts, as the ledger stores them, and which scans began by one. Used by jobd alone; throws
// DatabaseError.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/messages.h"
#include "jobs/jobd/schedule_times.h"

namespace clamscanner {

struct AccountSchedule {
    AccountId account = 0;
    Schedule schedule;
    std::uint32_t spread = 0;
    SlotDone done;
    std::int64_t due_ms = 0;  // since the epoch: not tried before
};

class ScheduleTable {
 public:
    explicit ScheduleTable(LedgerDatabase& database) : database_(database) {}

    // Empty if it has none, or has switched it off.
    [[nodiscard]] std::optional<AccountSchedule> of(AccountId account);
    // In place of an earlier one.
    void set(const AccountSchedule& schedule);
    void remove(AccountId account);
    void set_due(AccountId account, std::int64_t due_ms);
    void mark_done(AccountId account, const SlotDone& done, std::int64_t due_ms);

    // Those that are due, the one that waits longest first.
    [[nodiscard]] std::vector<AccountSchedule> due(std::int64_t now_ms, std::size_t limit);
    // By account, those behind `after`.
    [[nodiscard]] std::vector<AccountSchedule> behind(AccountId after, std::size_t limit);

    // The task is a scan of the account's schedule (Task::scheduled).
    void mark_scan(TaskId task);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }

    LedgerDatabase& database_;
};

}  // namespace clamscanner
