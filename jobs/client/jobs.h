// What the functions ask of jobd. An interface, so that they can be tested without one; jobs_client.h is the real one.
// What jobd declines comes as a Refusal with its sentence.
#pragma once

#include <vector>

#include "jobs/jobd/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Jobs {
 public:
    virtual ~Jobs() = default;
    virtual void start_scan(const StartScan& scan) = 0;
    virtual void cancel_scan() = 0;
    [[nodiscard]] virtual ScanStatus scan_status() = 0;
    // Those after `next` of the piece before; 0: the first.
    [[nodiscard]] virtual InfectedFiles infected_files(std::uint64_t after) = 0;
    [[nodiscard]] virtual UnscannedFiles unscanned_files(std::uint64_t after) = 0;
    [[nodiscard]] virtual QuarantinedFiles quarantined_files(std::uint64_t after) = 0;
    // Waits for a while for what it asks for.
    [[nodiscard]] virtual std::vector<ChangedFile> change_quarantine(bool restore, std::vector<std::string> ids) = 0;
    // The steps that disinfect() would take.
    [[nodiscard]] virtual std::vector<Record> dry_run(std::vector<FileAction> actions) = 0;
    [[nodiscard]] virtual DisinfectionQueued disinfect(std::vector<FileAction> actions) = 0;
    // The records with an id above `last_id`; 0: all.
    [[nodiscard]] virtual DisinfectionStatus disinfection(std::uint64_t last_id) = 0;
    // Of the caller's own scans, or the whole host's for a host user.
    [[nodiscard]] virtual ScanStatistics statistics() = 0;
    [[nodiscard]] virtual ScanTasks scan_tasks(const AskScanTasks& which) = 0;
    [[nodiscard]] virtual ScanEvents scan_events(const AskScanEvents& which) = 0;
    virtual void start_system_scan(std::vector<uid_t> accounts) = 0;
};

}  // namespace clamscanner
