// Answers to what only asks: statuses, lists and statistics, from the ledger or from its reader. Used by jobd alone.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobs/jobd/answers.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/ledger_tables.h"
#include "jobs/jobd/scan_history.h"

namespace clamscanner {

class ReadAnswers {
 public:
    // All of them must outlive this. `host_users`: users who see the statistics of the whole host.
    ReadAnswers(const Settings& config, LedgerTables& ledger, Dispatcher& dispatcher,
                const std::set<uid_t>& host_users);
    // Empty if the question asks for a change, or is none.
    [[nodiscard]] std::optional<Encoded> answer(const AccountFacts& facts, const std::string& question);

 private:
    // One function for each question. To decline it, it throws Declined.
    ScanStatus scan_status(const AskScanStatus&, const AccountFacts& facts);
    InfectedFiles infected_files(const AskInfectedFiles& asked, const AccountFacts& facts);
    UnscannedFiles unscanned_files(const AskUnscannedFiles& asked, const AccountFacts& facts);
    DryRun dry_run(AskDryRun asked, const AccountFacts& facts);
    FoundHash found_hash(const AskFoundHash& asked, const AccountFacts& facts);
    DisinfectionStatus disinfection(const AskDisinfection& asked, const AccountFacts& facts);
    Ignored ignored_files(const AskIgnored& asked, const AccountFacts& facts);
    QuarantinedFiles quarantined_files(const AskQuarantinedFiles& asked, const AccountFacts& facts);
    QuarantineChange quarantine_change(const AskQuarantineChange& asked, const AccountFacts& facts);
    ScheduleStatus schedule(const AskSchedule&, const AccountFacts& facts);
    History history(const AskHistory& asked, const AccountFacts& facts);
    ScanStatistics statistics(const AskStatistics&, const AccountFacts& facts);
    ScanTasks scan_tasks(const AskScanTasks& asked, const AccountFacts& facts);
    ScanEvents scan_events(const AskScanEvents& asked, const AccountFacts& facts);

    Notifications notifications(const AskNotifications&, const AccountFacts& facts);

    [[nodiscard]] ScanHistory::Scope scope_of(const AccountFacts& facts);
    [[nodiscard]] InfectedFiles infected_files_of(TaskId scan, std::uint64_t after, bool with_gone);
    [[nodiscard]] std::vector<std::string> scan_warnings(const std::optional<Task>& task);
    void add_automatic_quarantine(TaskId scan, std::vector<std::string>& messages);
    [[nodiscard]] bool only_embedded_signatures();

    const Settings& config_;
    LedgerTables& ledger_;
    Dispatcher& dispatcher_;
    ScanHistory history_;
    const std::set<uid_t>& host_users_;
    Deadline signatures_checked_;
    bool embedded_only_ = false;
};

}  // namespace clamscanner
