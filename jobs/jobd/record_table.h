// What was asked for, intended and done about infected files: the actions of disinfections and restorations, and their
// records. Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/messages.h"
#include "jobs/jobd/planned_action.h"
#include "jobs/jobd/quarantine_list.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class RecordTable {
 public:
    // All must outlive this.
    RecordTable(LedgerDatabase& database, TaskTable& tasks, QuarantineList& quarantine)
        : database_(database), tasks_(tasks), quarantine_(quarantine) {}

    // ---- A disinfection
    // To a preparation, behind the actions that it has.
    void add_actions(TaskId id, const std::vector<PlannedAction>& planned);
    [[nodiscard]] std::optional<PlannedAction> next_action(TaskId id);
    // Unfinished ones with higher numbers, without the messages to be cut out of a mailbox.
    [[nodiscard]] std::vector<PlannedAction> actions_after(TaskId id, std::uint64_t number, std::size_t limit);
    // May be called again for an unfinished action: the new intent replaces the old one.
    void intend(TaskId id, const PlannedAction& action);
    // Records the step and ends its action.
    void record_step(TaskId id, const PlannedAction& action, RecordState state, const std::string& message);
    void record_issue(TaskId id, RecordState state, const std::string& message);
    // Records the last record and ends the task.
    void record_done(TaskId id, RecordState state, const std::string& message, Outcome outcome);
    [[nodiscard]] std::map<RecordState, std::uint64_t> step_counts(TaskId id);
    struct Records {
        std::vector<Record> records;
        bool cut = false;
    };
    [[nodiscard]] Records records_after(TaskId id, std::uint64_t last_id, std::size_t budget, std::size_t limit);

    // ---- A restoration
    // To a preparation, behind those that it has. The intent for each file is recorded at once.
    void add_changes(TaskId id, AccountId account, const std::vector<std::string>& opaque_names, Action action);
    struct Changed {
        std::vector<ChangedFile> files;
        std::int64_t next = 0;  // pass it as `after` to get the rest; 0: there is none
    };
    [[nodiscard]] Changed changed_files(TaskId id, std::int64_t after, std::size_t budget);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    void add_record(TaskId id, Record record);
    [[nodiscard]] std::int64_t last_action(TaskId id);

    LedgerDatabase& database_;
    TaskTable& tasks_;
    QuarantineList& quarantine_;
};

}  // namespace clamscanner
