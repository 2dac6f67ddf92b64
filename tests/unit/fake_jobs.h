// Fakes jobd for the API's functions: gives the test's answers, and records the questions.
#pragma once

#include <functional>
#include <vector>

#include "auth/base/dispatch.h"
#include "jobs/client/jobs.h"

namespace clamscanner {

struct FakeJobs : Jobs {
    ScanStatus status;
    InfectedFiles infected;
    DisinfectionQueued queued{"00000001/0123456789abcd", "/home/u/.clamavconnector.disinfection.log"};
    DisinfectionStatus disinfection_status;
    std::function<void()> before_answering = [] {};

    ScanStatistics scan_statistics;
    ScanTasks tasks;
    ScanEvents events;

    std::vector<ScanType> started;
    bool started_as_system = false;
    bool started_full = false;
    bool cancelled = false;
    UnscannedFiles unscanned;
    QuarantinedFiles quarantined;
    bool restored = false;
    std::vector<std::string> changed_ids;
    std::vector<ChangedFile> changed;
    std::vector<Record> steps;
    std::vector<uid_t> system_scan_of;
    History history;
    History more_history;  // behind the first piece
    Asker asker;           // of the last that changed something
    AskScanTasks asked_tasks;
    AskScanEvents asked_events;
    std::vector<FileAction> actions;
    std::vector<Disinfect> disinfected;
    std::vector<std::uint64_t> last_ids;

    Accepted answer_start_scan(const StartScan& scan) {
        before_answering();
        started.push_back(scan.scan_type);
        started_as_system = scan.as_system;
        started_full = scan.full;
        asker = scan.asker;
        return {};
    }
    Accepted answer_cancel_scan(const CancelScan&) {
        before_answering();
        cancelled = true;
        return {};
    }
    UnscannedFiles answer_unscanned_files(const AskUnscannedFiles&) { return unscanned; }
    QuarantinedFiles answer_quarantined_files(const AskQuarantinedFiles&) { return quarantined; }
    QuarantineQueued answer_change_quarantine(const ChangeQuarantine& asked) {
        restored = asked.restore;
        asker = asked.asker;
        if (asked.task == 0) changed_ids.clear();
        changed_ids.insert(changed_ids.end(), asked.ids.begin(), asked.ids.end());
        return {7};
    }
    QuarantineChange answer_quarantine_change(const AskQuarantineChange& asked) {
        if (asked.after != 0) return {asked.task == 7, {}, 0};
        return {asked.task == 7, changed, 0};
    }
    DryRun answer_dry_run(const AskDryRun& asked) {
        actions = asked.actions;
        if (!steps.empty()) return {steps};
        DryRun answer;
        for (const auto& action : asked.actions)
            answer.steps.push_back({answer.steps.size() + 1, RecordType::Step, RecordState::Error, action.path, ""});
        return answer;
    }
    std::string found_sha256;
    FoundHash answer_found_hash(const AskFoundHash&) { return {found_sha256}; }
    ScanStatus answer_scan_status(const AskScanStatus&) {
        before_answering();
        auto answer = status;
        answer.infected = infected;
        return answer;
    }
    InfectedFiles answer_infected_files(const AskInfectedFiles&) { return infected; }
    DisinfectionQueued answer_disinfect(const Disinfect& asked) {
        before_answering();
        disinfected.push_back(asked);
        asker = asked.asker;
        if (asked.task == 0) actions.clear();
        actions.insert(actions.end(), asked.actions.begin(), asked.actions.end());
        auto answer = queued;
        answer.task = 9;
        return answer;
    }
    DisinfectionStatus answer_disinfection(const AskDisinfection& asked) {
        last_ids.push_back(asked.last_id);
        return disinfection_status;
    }
    ScanStatistics answer_statistics(const AskStatistics&) {
        before_answering();
        return scan_statistics;
    }
    ScanTasks answer_scan_tasks(const AskScanTasks& which) {
        asked_tasks = which;
        return tasks;
    }
    ScanEvents answer_scan_events(const AskScanEvents& which) {
        asked_events = which;
        return events;
    }
    Accepted answer_start_system_scan(const StartSystemScan& asked) {
        for (const auto& account : asked.accounts) system_scan_of.push_back(account.uid);
        return {};
    }

    Ignored ignored;
    std::vector<IgnoreFiles> ignoring;
    FilesIgnored answer_ignore_files(const IgnoreFiles& asked) {
        ignoring.push_back(asked);
        FilesIgnored answer;
        // By the file's name.
        for (const auto& path : asked.paths)
            answer.results.push_back({path.find("/no-find") != std::string::npos   ? IgnoreResult::NoFind
                                      : path.find("/changed") != std::string::npos ? IgnoreResult::UnknownContent
                                                                                   : IgnoreResult::Ignored});
        return answer;
    }
    std::vector<std::uint64_t> unignored;
    FilesUnignored answer_unignore_files(const UnignoreFiles& asked) {
        asker = asked.asker;
        FilesUnignored answer;
        for (const auto& [row] : asked.rows) {
            unignored.push_back(row);
            answer.results.push_back({static_cast<UnignoreResult>(row % 3)});
        }
        return answer;
    }
    Ignored answer_ignored(const AskIgnored&) { return ignored; }

    ScheduleStatus schedule;
    ScheduleStatus answer_schedule(const AskSchedule&) { return schedule; }
    ScheduleStatus answer_set_schedule(const SetSchedule& asked) {
        before_answering();
        asker = asked.asker;
        schedule.schedule = asked.schedule;
        return schedule;
    }

    Notifications notifications;
    std::vector<SetNotifications> notifications_set;
    std::string code;  // that was brought
    Notifications answer_notifications(const AskNotifications&) { return notifications; }
    Notifications answer_set_notifications(const SetNotifications& asked) {
        notifications_set.push_back(asked);
        return notifications;
    }
    Notifications answer_confirm_notifications(const ConfirmNotifications& asked) {
        code = asked.code;
        return notifications;
    }

    History answer_history(const AskHistory& asked) { return asked.after == 0 ? history : more_history; }

    std::string exchange(std::string_view question, Effect) override {
        static constexpr Handler<FakeJobs, Encoded> table[] = {
            handles<&FakeJobs::answer_start_scan>,        handles<&FakeJobs::answer_cancel_scan>,
            handles<&FakeJobs::answer_unscanned_files>,   handles<&FakeJobs::answer_quarantined_files>,
            handles<&FakeJobs::answer_change_quarantine>, handles<&FakeJobs::answer_quarantine_change>,
            handles<&FakeJobs::answer_dry_run>,           handles<&FakeJobs::answer_scan_status>,
            handles<&FakeJobs::answer_infected_files>,    handles<&FakeJobs::answer_disinfect>,
            handles<&FakeJobs::answer_disinfection>,      handles<&FakeJobs::answer_statistics>,
            handles<&FakeJobs::answer_scan_tasks>,        handles<&FakeJobs::answer_scan_events>,
            handles<&FakeJobs::answer_start_system_scan>, handles<&FakeJobs::answer_history>,
            handles<&FakeJobs::answer_ignore_files>,      handles<&FakeJobs::answer_unignore_files>,
            handles<&FakeJobs::answer_ignored>,           handles<&FakeJobs::answer_schedule>,
            handles<&FakeJobs::answer_set_schedule>,      handles<&FakeJobs::answer_notifications>,
            handles<&FakeJobs::answer_set_notifications>, handles<&FakeJobs::answer_confirm_notifications>,
            handles<&FakeJobs::answer_found_hash>,
        };
        return std::string(dispatch(table, *this, question).bytes());
    }
};

}  // namespace clamscanner
