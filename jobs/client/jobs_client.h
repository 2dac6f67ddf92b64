// The connection to jobd, kept open between requests and made anew when jobd was started again. Whose question it is,
// jobd learns from the kernel. Run by agents and by uapi, as the user.
#pragma once

#include <string>

#include "auth/base/socket.h"
#include "jobs/client/jobs.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class JobsClient : public Jobs {
 public:
    explicit JobsClient(std::string socket_path) : socket_path_(std::move(socket_path)) {}

    void start_scan(const StartScan& scan) override;
    void cancel_scan() override;
    [[nodiscard]] UnscannedFiles unscanned_files(std::uint64_t after) override;
    [[nodiscard]] QuarantinedFiles quarantined_files(std::uint64_t after) override;
    [[nodiscard]] std::vector<ChangedFile> change_quarantine(bool restore, std::vector<std::string> ids) override;
    [[nodiscard]] std::vector<Record> dry_run(std::vector<FileAction> actions) override;
    ScanStatus scan_status() override;
    InfectedFiles infected_files(std::uint64_t after) override;
    DisinfectionQueued disinfect(std::vector<FileAction> actions) override;
    DisinfectionStatus disinfection(std::uint64_t last_id) override;
    ScanStatistics statistics() override;
    ScanTasks scan_tasks(const AskScanTasks& which) override;
    ScanEvents scan_events(const AskScanEvents& which) override;
    // Only on the administrator's socket.
    [[nodiscard]] std::vector<HeldSignature> held_signatures();
    void allow_signature(const std::string& signature);

    void start_system_scan(std::vector<uid_t> accounts) override;

 private:
    enum class Kind { Reads, Changes };

    template <class Expected, class Question>
    [[nodiscard]] Expected ask(Question&& question, Kind kind);
    [[nodiscard]] std::string exchange(std::string_view question, Kind kind);
    [[nodiscard]] bool try_exchange(std::string_view question, Kind kind, std::string& answer, Deadline deadline);

    std::string socket_path_;
    UniqueFd connection_;
};

}  // namespace clamscanner
