// The accounts and their tasks, as the ledger stores them. Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/running_time.h"
#include "jobs/jobd/task.h"

namespace clamscanner {

class TaskTable {
 public:
    // Both must outlive this.
    TaskTable(LedgerDatabase& database, const RunningTime& running_time)
        : database_(database), running_time_(running_time) {}

    [[nodiscard]] AccountId account_of(const AccountFacts& facts);
    [[nodiscard]] std::optional<AccountFacts> find_account(AccountId id);

    // Both are empty if the account has a task queued or running.
    [[nodiscard]] std::optional<TaskId> queue_scan(AccountId account, ScanType type, bool as_system, bool full = false);
    [[nodiscard]] std::optional<TaskId> queue(AccountId account, TaskKind kind, ScanType type = ScanType::Home);
    [[nodiscard]] std::optional<Task> active(AccountId account);
    [[nodiscard]] std::optional<Task> last(AccountId account, TaskKind kind);
    [[nodiscard]] Task get(TaskId id);
    // The previous task of the same account and kind.
    [[nodiscard]] std::optional<TaskId> before(const Task& task);
    [[nodiscard]] std::vector<AccountTask> queued();
    // Each account's last disinfection, if it has ended and its log in the home is not complete yet.
    [[nodiscard]] std::vector<AccountTask> with_pending_log(std::size_t limit);
    // Scans that were cancelled or ended early and are their account's last.
    [[nodiscard]] std::vector<TaskId> unfinished_scans();

    void begin(TaskId id);
    void requeue(TaskId id, bool made_no_progress, const std::string& why);
    void set_why(TaskId id, const std::string& why);
    void mark_log_whole(TaskId id);
    // A preparation becomes what it prepared, or comes to nothing.
    void turn_into(TaskId id, TaskKind kind);
    void abandon(TaskId id);
    // How it will end, once what is left to do for that is done: a restart goes on with that, not with the task.
    void set_outcome(TaskId id, Outcome outcome, const std::string& why);
    void end(TaskId id, Outcome outcome, const std::string& why);
    // Those that have ended since take_ended() was last called.
    [[nodiscard]] const std::vector<TaskId>& ended() const noexcept { return ended_; }
    // The same, with their accounts.
    [[nodiscard]] std::vector<AccountTask> take_ended();
    [[nodiscard]] AccountTask with_account(TaskId id);

    // ---- Of a scan
    // Totals never fall; `walked`: they are final.
    void save_totals(TaskId id, std::uint64_t files, std::uint64_t bytes, bool walked);
    void save_progress(TaskId id, std::uint64_t scanned_files, std::uint64_t scanned_bytes, std::uint64_t clean_files);
    // The list is complete: from now on an interrupted scan resumes from it.
    void keep_list(TaskId id, std::uint64_t bytes, std::uint64_t unreadable);
    void settle(TaskId id, const Settled& settled);
    void set_signatures(TaskId id, bool embedded_only, const std::string& problem);
    using UnscannedCounts = std::map<UnscannedReason, std::uint64_t>;
    [[nodiscard]] UnscannedCounts unscanned_counts(TaskId id);
    void count_unscanned(TaskId id, UnscannedReason reason, std::int64_t change);

    // Begins a change of a task and drops it from the cache.
    void write(TaskId id);
    // Drops all of them: another connection may have changed any.
    void forget_cached() {
        last_tasks_.clear();
        known_tasks_.clear();
    }

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    void prune_before(TaskId id, AccountId account, TaskKind kind);
    void prune_scans_before(TaskId id);

    LedgerDatabase& database_;
    const RunningTime& running_time_;
    std::map<uid_t, std::pair<AccountFacts, AccountId>> known_accounts_;  // a bounded cache: every poll needs it
    // Bounded caches of what every poll needs.
    struct KnownTask {
        Task task;
        std::optional<UnscannedCounts> unscanned;
    };
    std::map<std::pair<AccountId, TaskKind>, TaskId> last_tasks_;
    std::map<TaskId, KnownTask> known_tasks_;
    std::vector<TaskId> ended_;
};

}  // namespace clamscanner
