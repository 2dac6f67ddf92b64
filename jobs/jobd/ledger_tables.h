// The tables of the ledger's database, over a connection that changes them or over one that only reads. Used by jobd
// alone; throws DatabaseError.
#pragma once

#include <optional>
#include <string>

#include "jobs/jobd/automatic_table.h"
#include "jobs/jobd/find_table.h"
#include "jobs/jobd/history_table.h"
#include "jobs/jobd/ignore_list.h"
#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/outbox.h"
#include "jobs/jobd/quarantine_list.h"
#include "jobs/jobd/record_table.h"
#include "jobs/jobd/running_time.h"
#include "jobs/jobd/schedule_table.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class LedgerTables {
 public:
    LedgerTables(const LedgerTables&) = delete;
    LedgerTables& operator=(const LedgerTables&) = delete;

    // All of these use the same database and live as long as this.
    [[nodiscard]] LedgerDatabase& database() noexcept { return database_; }
    [[nodiscard]] TaskTable& tasks() noexcept { return tasks_; }
    [[nodiscard]] FindTable& finds() noexcept { return finds_; }
    [[nodiscard]] IgnoreList& ignored() noexcept { return ignored_; }
    [[nodiscard]] RecordTable& records() noexcept { return records_; }
    [[nodiscard]] QuarantineList& quarantine() noexcept { return quarantine_; }
    [[nodiscard]] HistoryTable& history() noexcept { return history_; }
    [[nodiscard]] ScheduleTable& schedules() noexcept { return schedules_; }
    [[nodiscard]] AutomaticTable& automatic() noexcept { return automatic_; }
    [[nodiscard]] Outbox& outbox() noexcept { return outbox_; }
    [[nodiscard]] const RunningTime& running_time() const noexcept { return running_time_; }

 protected:
    // Opens or creates the database and recovers: tasks that were running are queued again.
    explicit LedgerTables(const std::string& file) : LedgerTables(LedgerDatabase(file), nullptr) {}
    // Opens it for reading alone, beside the connection that keeps the running time, which must outlive this.
    LedgerTables(const std::string& file, const RunningTime& running_time)
        : LedgerTables(LedgerDatabase(file, LedgerDatabase::for_reading), &running_time) {}
    ~LedgerTables() = default;

    [[nodiscard]] RunningTime& own_running_time() { return own_running_time_.value(); }

 private:
    LedgerTables(LedgerDatabase database, const RunningTime* running_time)
        : database_(std::move(database)),
          own_running_time_(running_time == nullptr ? std::optional<RunningTime>(std::in_place, database_)
                                                    : std::nullopt),
          running_time_(running_time == nullptr ? *own_running_time_ : *running_time),
          tasks_(database_, running_time_),
          quarantine_(database_, running_time_),
          ignored_(database_),
          history_(database_, running_time_),
          finds_(database_, tasks_, ignored_, history_),
          records_(database_, tasks_, quarantine_),
          schedules_(database_),
          automatic_(database_),
          outbox_(database_) {}

    LedgerDatabase database_;
    std::optional<RunningTime> own_running_time_;
    const RunningTime& running_time_;
    TaskTable tasks_;
    QuarantineList quarantine_;
    IgnoreList ignored_;
    HistoryTable history_;
    FindTable finds_;
    RecordTable records_;
    ScheduleTable schedules_;
    AutomaticTable automatic_;
    Outbox outbox_;
};

}  // namespace clamscanner
