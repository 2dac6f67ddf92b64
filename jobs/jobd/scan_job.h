// A running scan: gets totals from the runner's walk and verdicts from the coordinator. It is complete only when both
// report that they have finished and their counts agree.
//
// The walk writes its list of files into a file of jobd's, which is kept until the scan ends: after an interruption or
// the end of a turn, the next start resumes in that list after the last settled file. If the scan ends before it is
// complete, the list says which files it did not reach (unreached_files.h).
#pragma once

#include <optional>
#include <set>

#include "jobs/jobd/job.h"
#include "jobs/jobd/log_copy.h"

namespace clamscanner {

class ScanJob : public Job {
 public:
    ScanJob(const JobContext& context, AccountTask task);
    ~ScanJob() override;
    ScanJob(const ScanJob&) = delete;
    ScanJob& operator=(const ScanJob&) = delete;
    [[nodiscard]] std::string current_file() const override { return current_file_; }
    [[nodiscard]] Clock::duration worked() const override { return std::chrono::milliseconds(progress_.worker_ms); }
    void end_turn() override;
    void remove_leftovers() override;
    void cancel() override;

 protected:
    void begin() override;
    [[nodiscard]] NewJob new_job() const override;
    void receive_from_runner(Packet& packet) override;
    void receive_from_coordinator(Packet& packet) override;
    void feed_runner() override;
    [[nodiscard]] bool waits_for_runner() const override;
    void runner_ended() override;

 private:
    [[nodiscard]] UniqueFd open_list();
    void prepare();
    void scan_quarantined();
    void run_scan();
    [[nodiscard]] bool is_first_start() const { return task().starts == 0; }
    void forget_earlier();
    [[nodiscard]] std::string quarantined(std::uint64_t token);
    // From the runner.
    void take_walk_progress(const WalkProgress& walk);
    void take_unreadable(const Unreadable& file);
    void take_handed_over(const HandedOver& handed_over);
    void take_walk_failed(const WalkFailed& failed);
    void take_opened(const Opened&) {}  // of what is in the quarantine
    void take_not_opened(const NotOpened& refused);
    void take_acted(const Acted& acted);
    void take_adopted(Adopted adopted);
    void take_copy_done(const CopyDone&);

    // From the coordinator.
    void take_scanner_ready(const ScannerReady& ready);
    void take_progress(ScanProgress progress);
    void take_infected(const FoundInfected& found);
    [[nodiscard]] std::int64_t first_found(const FoundContent& found, std::int64_t now);
    void take_unscanned(const FoundUnscanned& found);
    void take_turn_ended(const TurnEnded&) { finish(End::TurnOver, "others have their turn"); }
    void take_scan_result(const ScanResult& result);
    void take_scanner_failed(const ScannerFailed& failed) { scanner_failed(failed); }
    void take_scan_completed(const ScanCompleted& all);

    void discard_expired();
    void complete_if_agreed();
    void intend_quarantine();
    [[nodiscard]] bool task_found_nothing();
    [[nodiscard]] std::vector<Record> log_lines(std::uint64_t after, std::size_t limit);
    void save_progress();

    LogCopy log_;
    ScanProgress progress_;
    std::string current_file_;
    std::uint64_t walk_unreadable_ = 0;
    Settled before_;  // settled by earlier starts
    std::uint32_t start_ = 0;
    std::optional<TaskId> scan_before_;
    std::uint32_t walk_start_ = 0;
    bool scanner_ready_ = false;
    bool embedded_only_ = false;      // the test signatures are all that the scanner has
    bool may_find_too_much_ = false;  // see ScannerReady
    bool lacks_signatures_ = false;   // the scanner has not all that the signature directory holds, or none of it
    bool walked_ = false;
    bool coordinator_waits_ = false;
    std::optional<HandedOver> handed_over_;
    std::optional<ScanCompleted> scan_completed_;
    bool completed_ = false;
    std::size_t adopted_ = 0;
    // Each piece of what goes to the runner before its walk, or after it, is sent once it has taken the last one.
    enum class Feeding { Preparing, Quarantined, Scan, Expired, Log };
    Feeding feeding_ = Feeding::Preparing;
    UniqueFd list_;
    std::int64_t last_quarantined_ = 0;  // the id of the last file in the quarantine that was sent; ids are the tokens
    bool forgetting_ = false;            // what earlier starts recorded
    QuarantineList::Expired last_expired_;
    std::set<std::uint64_t> expired_;  // the ids of files that the runner is to delete; they are the tokens
};

}  // namespace clamscanner
