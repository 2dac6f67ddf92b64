// Carries out what agents and the administrator's command ask for, and answers. Used by jobd alone.
#pragma once

#include <set>
#include <string>

#include "jobs/jobd/answers.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/preparations.h"
#include "jobs/jobd/scan_history.h"
#include "jobs/jobd/schedule_book.h"
#include "jobs/jobd/system_scans.h"

namespace clamscanner {

class ChangeAnswers {
 public:
    // All of them must outlive this. `host_users`: users who may have all accounts scanned.
    ChangeAnswers(const JobContext& context, Dispatcher& dispatcher, ScanHistory& history, SystemScans& system_scans,
                  ScheduleBook& schedules, const std::set<uid_t>& host_users);
    // Both throw Malformed if it is no question of theirs.
    [[nodiscard]] Encoded answer(const AccountFacts& facts, const std::string& question);
    [[nodiscard]] Encoded answer_administrator(const std::string& question);

 private:
    // One function for each question. To decline it, it throws Declined.
    Accepted start_scan(const StartScan& asked, const AccountFacts& facts);
    Accepted cancel_scan(const CancelScan&, const AccountFacts& facts);
    DisinfectionQueued disinfect(Disinfect asked, const AccountFacts& facts);
    QuarantineQueued change_quarantine(const ChangeQuarantine& asked, const AccountFacts& facts);
    FilesIgnored ignore_files(const IgnoreFiles& asked, const AccountFacts& facts);
    FilesUnignored unignore_files(const UnignoreFiles& asked, const AccountFacts& facts);
    ScheduleStatus set_schedule(const SetSchedule& asked, const AccountFacts& facts);
    Notifications set_notifications(const SetNotifications& asked, const AccountFacts& facts);
    Notifications confirm_notifications(const ConfirmNotifications& asked, const AccountFacts& facts);
    Accepted start_system_scan(const StartSystemScan& asked, const AccountFacts& facts);
    Accepted scan_all(const StartSystemScan& asked);
    SystemScanProgress system_scan(const AskSystemScan&);
    HeldSignatures held_signatures(const AskHeldSignatures&);
    Accepted allow_signature(const AllowSignature& asked);
    Accepted cancel_system_scan(const CancelSystemScan&);
    AllFinds all_finds(const AskAllFinds& asked);
    FindsQueued quarantine_finds(const QuarantineFinds& asked);
    AllIgnoredEverywhere ignored_everywhere(const AskIgnoredEverywhere&);
    Accepted ignore_everywhere(const IgnoreEverywhere& asked);
    Accepted unignore_everywhere(const UnignoreEverywhere& asked);
    TaskReport task(const AskTask& asked);
    ServiceReport service(const AskService&);

    [[nodiscard]] std::optional<Asker> vouched(const Voucher& voucher, const AccountFacts& facts, Asker asker) const;
    [[nodiscard]] TaskId prepare(const AccountFacts& facts, std::uint64_t task);
    void settle_some();
    // Of some files; nothing if there is none.
    void note(AccountId account, const HistoryTable::Change& change, bool continues);
    Task queue(TaskId id, TaskKind kind, const AccountFacts& facts, const Asker& asker);

    JobContext context_;
    Dispatcher& dispatcher_;
    ScanHistory& history_;
    SystemScans& system_scans_;
    ScheduleBook& schedules_;
    Preparations preparations_;
    const std::set<uid_t>& host_users_;
};

}  // namespace clamscanner
