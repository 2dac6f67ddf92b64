// jobd, as the functions see it: answers what the test says, and notes what it was asked.
#pragma once

#include <functional>
#include <vector>

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
    AskScanTasks asked_tasks;
    AskScanEvents asked_events;
    std::vector<FileAction> actions;
    std::vector<std::uint64_t> last_ids;

    void start_scan(const StartScan& scan) override {
        before_answering();
        started.push_back(scan.scan_type);
        started_as_system = scan.as_system;
        started_full = scan.full;
    }
    void cancel_scan() override {
        before_answering();
        cancelled = true;
    }
    UnscannedFiles unscanned_files(std::uint64_t) override { return unscanned; }
    QuarantinedFiles quarantined_files(std::uint64_t) override { return quarantined; }
    std::vector<ChangedFile> change_quarantine(bool restore, std::vector<std::string> ids) override {
        restored = restore;
        changed_ids = std::move(ids);
        return changed;
    }
    std::vector<Record> dry_run(std::vector<FileAction> asked) override {
        actions = std::move(asked);
        return steps;
    }
    ScanStatus scan_status() override {
        before_answering();
        return status;
    }
    InfectedFiles infected_files(std::uint64_t) override { return infected; }
    DisinfectionQueued disinfect(std::vector<FileAction> asked) override {
        before_answering();
        actions = std::move(asked);
        return queued;
    }
    DisinfectionStatus disinfection(std::uint64_t last_id) override {
        last_ids.push_back(last_id);
        return disinfection_status;
    }
    ScanStatistics statistics() override {
        before_answering();
        return scan_statistics;
    }
    ScanTasks scan_tasks(const AskScanTasks& which) override {
        asked_tasks = which;
        return tasks;
    }
    ScanEvents scan_events(const AskScanEvents& which) override {
        asked_events = which;
        return events;
    }
    void start_system_scan(std::vector<uid_t> accounts) override { system_scan_of = std::move(accounts); }
};

}  // namespace clamscanner
