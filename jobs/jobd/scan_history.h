// The history of scans for the clients of the statistics, of one account or of the whole host; and the system scans,
// each a task with one job per account. All of it is stored in the ledger's database. Used by jobd alone; throws
// DatabaseError.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/ledger_tables.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class ScanHistory {
 public:
    // Both must outlive this.
    ScanHistory(LedgerTables& ledger, const Settings& settings)
        : ledger_(ledger), database_(ledger.database()), settings_(settings) {}

    // Whose scans. The host's are its system scans; if there has been none, those of all accounts.
    struct Scope {
        bool host = false;
        AccountId account = 0;  // unless it is the host
    };
    [[nodiscard]] ScanStatistics statistics(Scope scope);
    [[nodiscard]] ScanTasks tasks(Scope scope, const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit);
    // At most `budget` bytes of texts, so a page may be shorter than was asked for.
    [[nodiscard]] ScanEvents events(Scope scope, std::uint64_t offset, std::uint64_t limit, std::size_t budget);

    // ---- System scans, one at a time.
    using SystemScanId = std::int64_t;
    // Empty if another one has not ended yet.
    [[nodiscard]] std::optional<SystemScanId> begin_system_scan(const std::vector<uid_t>& accounts);
    [[nodiscard]] std::optional<SystemScanId> open_system_scan();
    // Accounts without a job yet, with uids above `after`, ordered by uid.
    [[nodiscard]] std::vector<uid_t> waiting_accounts(SystemScanId scan, uid_t after, std::size_t limit);
    // Queues the account's job; empty if the account is busy.
    [[nodiscard]] std::optional<TaskId> queue_job(SystemScanId scan, uid_t uid, AccountId account);
    // The account gets no job, because it is gone or never stops being busy. The system scan is then not complete.
    void leave_out(SystemScanId scan, uid_t uid);
    // Jobs that wait for their first start, and unfinished jobs begun since `begun_since_running_ms`.
    [[nodiscard]] std::size_t unfinished_jobs(SystemScanId scan, std::int64_t begun_since_running_ms = 0);
    [[nodiscard]] bool has_unfinished_jobs(SystemScanId scan);
    [[nodiscard]] bool is_waiting(SystemScanId scan, uid_t uid);
    [[nodiscard]] std::int64_t begun_running_ms(SystemScanId scan);
    void end_system_scan(SystemScanId scan);
    // All that have no job yet.
    void leave_out_waiting(SystemScanId scan);
    void mark_cancelled(SystemScanId scan);
    [[nodiscard]] std::vector<TaskId> open_jobs(SystemScanId scan);
    // Of the latest.
    [[nodiscard]] SystemScanProgress system_scan_progress();

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    enum class Settled : std::uint8_t { HasJob = 1, LeftOut = 2 };
    [[nodiscard]] bool host_was_scanned();
    [[nodiscard]] ScanTask read_scan(const Row& row) const;
    [[nodiscard]] ScanTask read_system_scan(const Row& row);
    void add_open_jobs(SystemScanId scan, std::uint64_t accounts, std::uint64_t ended, ScanTask& task);
    void add_open_jobs(SystemScanId scan, SystemScanProgress& progress);
    // Scans with neighbouring numbers that a filter lets through.
    struct Block {
        std::int64_t number = 0;
        std::uint64_t scans = 0;  // at most
        bool counted = true;      // exactly
    };
    [[nodiscard]] std::vector<Block> blocks(Scope scope, const ScanFilter& filter);  // the latest first
    [[nodiscard]] std::uint64_t count_in(Scope scope, const ScanFilter& filter, const Block& block);
    void add_page(Scope scope, const ScanFilter& filter, const Block& block, std::uint64_t offset, std::uint64_t limit,
                  std::vector<ScanTask>& page);
    [[nodiscard]] std::optional<ScanTask> scan(Scope scope, const std::string& id);
    [[nodiscard]] ScanTasks scans(Scope scope, const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit);
    [[nodiscard]] std::optional<ScanTask> latest(Scope scope);
    [[nodiscard]] bool add_events(TaskId task, std::uint64_t offset, std::uint64_t limit, std::size_t& budget,
                                  std::vector<ScanEvent>& events);
    void settle_account(SystemScanId scan, uid_t uid, Settled how);
    // Calls `take` for each, the latest first, until it returns false.
    void each_system_scan(std::int64_t created_from_ms, const std::function<bool(ScanTask)>& take);
    [[nodiscard]] ScanTasks system_scans(const ScanFilter& filter, std::uint64_t offset, std::uint64_t limit);
    [[nodiscard]] Host host();
    const std::string& uuid();

    LedgerTables& ledger_;
    LedgerDatabase& database_;
    const Settings& settings_;
    std::string uuid_;
};

}  // namespace clamscanner
