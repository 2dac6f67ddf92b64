// A scan while it runs: totals from the runner's walk, verdicts from the coordinator. Complete when both have said
// their last word and their counts agree; only then is it called so.
#pragma once

#include <optional>

#include "jobs/job.h"
#include "jobs/log_copy.h"

namespace clamscanner {

class ScanJob : public Job {
 public:
    ScanJob(const JobSurroundings& surroundings, AccountTask task);
    [[nodiscard]] std::string current_file() const override { return current_file_; }

 protected:
    void begin() override;
    void hear_runner(Packet& packet) override;
    void hear_coordinator(Packet& packet) override;
    void feed_runner() override { log_.feed(to_runner_); }
    [[nodiscard]] bool waits_for_runner() const override;
    void runner_ended() override;

 private:
    void complete_if_agreed();
    [[nodiscard]] std::vector<Record> log_lines(std::uint64_t after, std::size_t limit);
    void save_progress();

    LogCopy log_;
    ScanProgress progress_;
    std::string current_file_;
    std::uint64_t unreadable_ = 0;
    std::uint32_t start_ = 0;
    bool scanner_ready_ = false;
    bool walked_ = false;
    bool coordinator_waits_ = false;
    std::optional<HandedOver> handed_over_;
    std::optional<ScannedAll> scanned_all_;
    bool completed_ = false;
};

}  // namespace clamscanner
