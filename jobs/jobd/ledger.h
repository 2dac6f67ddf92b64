// The authoritative record of all jobs, in jobd's SQLite database: tasks, what scans found, and what was intended and
// done about it. Nothing is acknowledged to anybody before commit() has returned. Used by jobd alone, single-threaded.
// Throws DatabaseError, after which jobd must stop (a restart recovers).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobs/engine/messages.h"
#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/messages.h"
#include "jobs/jobd/planned_action.h"
#include "jobs/jobd/quarantine_list.h"
#include "jobs/jobd/running_time.h"

namespace clamscanner {

// An account as it is at one time. A uid may later be given to somebody else, and then nothing of the old owner's may
// be shown or acted on. Two accounts are the same only if all fields match.
struct AccountFacts {
    uid_t uid = 0;
    std::string name;
    std::string home;
    std::uint64_t file_system = 0;  // statfs(2)'s f_fsid of the home; 0 if jobd may not examine it
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;  // the home's birth time; 0 if the file system has none
    bool operator==(const AccountFacts&) const = default;
};

enum class TaskKind : std::uint8_t { Scan = 0, Disinfection = 1, Restoration = 2 };
enum class TaskState : std::uint8_t { Queued = 0, Running = 1, Ended = 2 };
enum class Outcome : std::uint8_t { None = 0, Completed = 1, EndedEarly = 2, Cancelled = 3 };

struct Task {
    TaskId id = 0;
    AccountId account = 0;
    TaskKind kind = TaskKind::Scan;
    TaskState state = TaskState::Queued;
    Outcome outcome = Outcome::None;
    ScanType scan_type = ScanType::Home;
    std::int64_t created_ms = 0;  // since the epoch
    std::uint32_t attempts = 0;   // starts that made no progress, since the last that did
    std::uint32_t starts = 0;
    std::int64_t begun_running_ms = 0;  // the host's running time at the first start; 0: not started yet
    bool of_system_scan = false;        // a job of the administrator's scan of all accounts
    std::uint64_t total_files = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t scanned_files = 0;
    std::uint64_t scanned_bytes = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t infected_files = 0;
    std::uint64_t unscanned_files = 0;
    std::uint64_t known_files = 0;      // of a completed scan: clean files that were not read
    std::uint64_t known_infected = 0;   // infected files that were not read
    bool full = false;                  // it reads every file
    std::string signature_problem;      // why it did not have the newest signatures
    Settled settled;                    // of the files in the list
    std::uint64_t list_bytes = 0;       // the length of the list of files; 0: none to resume from
    std::uint64_t walk_unreadable = 0;  // how many entries that walk could not read
    std::uint32_t walk_start = 0;       // the number of the start that made the list
    std::uint64_t last_record = 0;
    bool embedded_signatures = false;
    bool log_pending = false;
    std::string why;  // it ended early or waits, for the owner to read
};

struct AccountTask {
    Task task;
    AccountFacts account;
};

class Ledger {
 public:
    // Opens or creates the database and recovers: tasks that were running are queued again.
    explicit Ledger(const std::string& file);

    // Makes every change since the last commit durable, including those that others made through database(). Cheap when
    // there is none.
    void commit() { database_.commit(); }

    // All of these use the same database and live as long as this.
    [[nodiscard]] LedgerDatabase& database() noexcept { return database_; }
    [[nodiscard]] QuarantineList& quarantine() noexcept { return quarantine_; }
    [[nodiscard]] RunningTime& running_time() noexcept { return running_time_; }

    // ---- Accounts
    [[nodiscard]] AccountId account_of(const AccountFacts& facts);

    // ---- Tasks
    // Empty if the account has a task queued or running.
    [[nodiscard]] std::optional<TaskId> queue_scan(AccountId account, ScanType type, bool as_system, bool full = false);
    struct Conflict {
        std::string first;
        std::string second;
    };
    // Resolves the paths against the last scan's list. Conflict: two keys name one file with different actions.
    [[nodiscard]] std::optional<Conflict> resolve(AccountId account, const std::string& home,
                                                  std::vector<FileAction> asked, std::vector<PlannedAction>& planned);
    [[nodiscard]] std::optional<TaskId> queue_disinfection(AccountId account,
                                                           const std::vector<PlannedAction>& planned);
    [[nodiscard]] std::optional<Task> active_task(AccountId account);
    [[nodiscard]] std::optional<Task> last_task(AccountId account, TaskKind kind);
    [[nodiscard]] Task task(TaskId id);
    [[nodiscard]] std::vector<AccountTask> queued_tasks();
    // Each account's last disinfection, if it has ended and its log in the home is not complete yet.
    [[nodiscard]] std::vector<AccountTask> tasks_with_pending_log(std::size_t limit);
    void begin(TaskId id);
    void requeue(TaskId id, bool made_no_progress, const std::string& why);
    void set_why(TaskId id, const std::string& why);
    void mark_log_whole(TaskId id);
    void end(TaskId id, Outcome outcome, const std::string& why);
    // Scans that were cancelled or ended early and are their account's last.
    [[nodiscard]] std::vector<TaskId> unfinished_scans();
    // The previous task of the same account and kind.
    [[nodiscard]] std::optional<TaskId> task_before(const Task& task);

    // ---- A scan
    // Totals never fall; `walked`: they are final.
    void save_totals(TaskId id, std::uint64_t files, std::uint64_t bytes, bool walked);
    void save_progress(TaskId id, std::uint64_t scanned_files, std::uint64_t scanned_bytes, std::uint64_t clean_files);
    // This start has made a new list of files, which replaces an earlier one; nothing in it is settled.
    // `embedded_only`: as far as this start has scanned, the test signatures were all that it had.
    void begin_list(TaskId id, std::uint32_t start, bool embedded_only);
    // The list is complete: from now on an interrupted scan resumes from it.
    void keep_list(TaskId id, std::uint64_t bytes, std::uint64_t unreadable);
    void settle(TaskId id, const Settled& settled);
    // The scan resumes after the settled files: forgets what is recorded of later ones, except infections.
    void forget_unsettled(TaskId id);
    void set_signatures(TaskId id, bool embedded_only, const std::string& problem);
    void add_infected(TaskId id, std::uint32_t start, const std::string& path, const std::string& virus,
                      const std::string& sha256, bool known = false, std::optional<std::uint64_t> place = std::nullopt);
    // `place`: in the list; none for entries that the walk could not read.
    void add_unscanned(TaskId id, std::uint32_t start, const std::string& path, UnscannedReason reason,
                       std::optional<std::uint64_t> place);
    // Every file has its verdict. Forgets files recorded as unscanned by starts before the one that made the list.
    void complete_scan(TaskId id, std::uint32_t walk_start, std::uint64_t total_files, std::uint64_t clean_files,
                       std::uint64_t known_files);
    // Finds in files that the scan may not have reached: its own of earlier starts, and those of the account's scan
    // before.
    struct EarlierFind {
        std::int64_t id = 0;
        bool of_this_scan = true;
        std::string virus;
    };
    [[nodiscard]] std::map<std::string, EarlierFind> earlier_finds(const Task& scan);  // by path
    // The file was not reached: what was found earlier still counts. `place`: in the list; none if there is no list.
    void keep_find(TaskId id, const EarlierFind& find, std::optional<std::uint64_t> place);
    // It was cancelled or ended early. Of the `listed` files those that were not reached are counted as unscanned.
    void end_unfinished(TaskId id, Outcome outcome, const std::string& why, std::uint64_t listed);
    using UnscannedCounts = std::map<UnscannedReason, std::uint64_t>;
    [[nodiscard]] UnscannedCounts unscanned_counts(TaskId id);

    // Each takes at most `budget` bytes; `cut` says that there is more.
    struct Paths {
        std::vector<std::string> paths;
        bool cut = false;
    };
    [[nodiscard]] Paths found_paths(TaskId id, std::size_t budget);  // including files disinfected since
    struct Listed {
        std::vector<InfectedFile> files;
        std::int64_t next = 0;  // pass it as `after` to get the rest; 0: there is none
    };
    [[nodiscard]] Listed infected_files(TaskId id, std::int64_t after, std::size_t budget);
    struct Unscanned {
        std::vector<UnscannedFile> files;
        std::int64_t next = 0;  // as in Listed
    };
    [[nodiscard]] Unscanned unscanned_files(TaskId id, std::int64_t after, std::size_t budget);
    // Files beyond the settled ones that have a find all the same: of workers, which do not get far ahead of each
    // other, and what was found earlier.
    [[nodiscard]] std::set<std::string> placed_beyond_settled(TaskId id);
    struct Find {
        std::int64_t id = 0;
        std::string path;
        std::string virus;  // empty: unscanned
        UnscannedReason reason = UnscannedReason::ScannerFailed;
    };
    [[nodiscard]] std::vector<Find> finds_after(TaskId id, std::int64_t after, std::size_t limit);

    // ---- A disinfection
    [[nodiscard]] std::optional<PlannedAction> next_action(TaskId id);
    // Unfinished ones with higher numbers, without the messages to be cut out of a mailbox.
    [[nodiscard]] std::vector<PlannedAction> actions_after(TaskId id, std::uint64_t number, std::size_t limit);
    // May be called again for an unfinished action: the new intent replaces the old one.
    void intend(TaskId id, const PlannedAction& action);
    // The hash of what the account's last scan found under this path; empty if unknown.
    [[nodiscard]] std::string found_sha256(AccountId account, const std::string& path);
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
    // Empty if the account has a task queued or running. The intent for each file is recorded at once.
    [[nodiscard]] std::optional<TaskId> queue_restoration(AccountId account, const std::vector<std::string>& ids,
                                                          Action action);
    [[nodiscard]] std::vector<ChangedFile> changed_files(TaskId id);
    // The file has left the list of infected files.
    void leave_list(AccountId account, const std::string& path);
    // The file is back where a scan found it.
    void return_to_list(AccountId account, const std::string& path);

    // Deletes some rows of superseded tasks: their finds and records, and, for tasks that ended before that time of day
    // and that running time of the host, the tasks themselves. True while there may be more to delete.
    bool prune(std::int64_t forget_before_ms, std::int64_t forget_before_running_ms);

 private:
    [[nodiscard]] Statement& statement(const char* sql) { return database_.statement(sql); }
    // Begins a change of a task and drops it from the cache.
    void write(TaskId id);
    [[nodiscard]] std::optional<TaskId> insert_task(AccountId account, TaskKind kind, ScanType type);
    [[nodiscard]] bool is_listed(TaskId scan, const std::string& path);
    void add_record(TaskId id, Record record);
    void mark_gone(AccountId account, const std::string& path, bool gone);
    [[nodiscard]] bool forget_tasks_before(std::int64_t ended_ms, std::int64_t ended_running_ms);
    struct ForgetStatements {
        const char* count;
        const char* remove;
    };
    void forget_unscanned(TaskId id, const ForgetStatements& statements, std::int64_t bound);
    void count_unscanned(TaskId id, UnscannedReason reason, std::int64_t change);
    void prune_scans_before(TaskId id);

    LedgerDatabase database_;
    RunningTime running_time_;
    QuarantineList quarantine_;
    std::map<uid_t, std::pair<AccountFacts, AccountId>> known_accounts_;  // a bounded cache: every poll needs it
    // Bounded caches of what every poll needs.
    struct KnownTask {
        Task task;
        std::optional<UnscannedCounts> unscanned;
    };
    std::map<std::pair<AccountId, TaskKind>, TaskId> last_tasks_;
    std::map<TaskId, KnownTask> known_tasks_;
};

// 8 hex digits, a slash and 14 hex digits.
[[nodiscard]] std::string task_name(const Task& task);

}  // namespace clamscanner
