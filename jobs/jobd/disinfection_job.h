// A running disinfection. Each file is scanned again; the intent is recorded before the file is touched, and the step
// after. Plain actions are carried out many together, so that one wait for the disk serves many: some are scanned while
// others are acted on, and intents, orders and steps go in groups, in the same order for each file. All others follow
// one by one. After a crash the job resumes from the recorded intents. What jobd began by itself
// (automatic_quarantine.h) leaves alone what the policy does not cover by the new scan, what is held or ignored, and
// what may hold more than one mail.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "jobs/jobd/job.h"
#include "jobs/jobd/log_copy.h"
#include "jobs/jobd/mailbox_cleansing.h"

namespace clamscanner {

inline constexpr const char* not_listed_text = "the file is not in the list of infected files, so it was left alone";
inline constexpr const char* ignored_text = "ignored, as asked";

class DisinfectionJob : public Job {
 public:
    DisinfectionJob(const JobContext& context, AccountTask task);
    [[nodiscard]] std::string current_file() const override {
        if (!together_.empty()) return together_.begin()->second.action.path;
        return current_ ? current_->path : std::string();
    }

 protected:
    void begin() override;
    void receive_from_runner(Packet& packet) override;
    void receive_from_coordinator(Packet& packet) override;
    void feed_runner() override { log_.feed(to_runner_); }
    [[nodiscard]] bool waits_for_runner() const override {
        if (stage_ == Stage::Together) return !together_.empty() && (coordinator_waits_ || all_act());
        if (stage_ == Stage::ScanningMessages) return !mailbox_.knows_count();
        return stage_ != Stage::Starting && !(is_rescanning() && opened_);
    }
    void runner_ended() override;
    // Ends between two actions; those that were begun are finished.
    void end_turn() override { turn_ends_ = true; }

 private:
    // A mailbox goes from Rescanning through ScanningMessages to Acting, and is scanned once more in RescanningRest. A
    // file whose content turns out to differ from the scanned one goes from Acting to RescanningMoved and back.
    enum class Stage {
        Starting,
        Together,
        Rescanning,
        ScanningMessages,
        Acting,
        RescanningRest,
        RescanningMoved,
        CheckingLog,
        ClosingLog
    };

    // Waits for one file: the runner opens it, the coordinator scans it.
    [[nodiscard]] bool is_rescanning() const {
        return stage_ == Stage::Rescanning || stage_ == Stage::RescanningRest || stage_ == Stage::RescanningMoved;
    }

    void proceed() {
        in_pieces([this] { return begin_next_action(); });
    }
    // True if the action is finished already and the next one can begin.
    [[nodiscard]] bool begin_next_action();
    [[nodiscard]] bool settle_without_runner(const PlannedAction& action);
    // A plain action on its way.
    struct Plain {
        enum class Stage { Judging, Judged, Acting };
        PlannedAction action;
        Stage stage = Stage::Judging;
        bool opened = false;
        bool is_mailbox = false;
        bool may_hold_mail = false;
        std::optional<ScanResult> result;
    };
    [[nodiscard]] bool take_more();
    // Throws Malformed unless it is in this stage.
    [[nodiscard]] Plain& plain(std::uint64_t token, Plain::Stage stage);
    [[nodiscard]] bool all_act() const;
    void leave(std::uint64_t number);
    void judge_plain(Plain& plain);
    void act_together();
    void settle_plain(Plain& plain, const Acted& acted);
    // What is to be done with a file that was scanned again.
    enum class Judgement { Settled, IsMailbox, ToBeActedOn };
    struct Mail {
        bool is_mailbox = false;
        bool may_hold_mail = false;  // known only if automatic_
    };
    [[nodiscard]] Judgement judge(PlannedAction& action, const ScanResult& result, Mail mail);
    [[nodiscard]] const char* why_left(const FoundContent& found);
    [[nodiscard]] bool may_act_by_itself(const PlannedAction& action, const ScanResult& result, Mail mail);
    [[nodiscard]] Judgement judge_infected(PlannedAction& action, const ScanResult& result);
    void act(bool again);
    [[nodiscard]] bool is_in_mail(const std::string& path) const;
    [[nodiscard]] ScanFile scan_of(const PlannedAction& action) const;
    [[nodiscard]] Act order_for(const PlannedAction& action, bool again) const;
    void request_scan(Stage stage);
    void settle_scan();
    void settle_result();
    void rescan_moved(const Acted& acted);
    void adopt_difference(PlannedAction& action, const Acted& acted);
    void settle_moved();
    static void adopt_result(PlannedAction& action, const ScanResult& result);
    [[nodiscard]] std::string name_in_quarantine(const PlannedAction& action) const;
    [[nodiscard]] bool confirm_adopted(PlannedAction& action, const ScanResult& result, bool is_mailbox);
    void list_quarantined(const PlannedAction& action, const Acted& acted);
    [[nodiscard]] static bool is_expected(const PlannedAction& action, RecordState state);
    static void check_expected(const PlannedAction& action, const Acted& acted);
    void put_back();
    void settle_put_back(const Acted& acted);
    void keep_unscanned(std::uint64_t device, std::uint64_t inode);
    void quarantine_as_last_scanned();
    void scan_messages();
    void settle_messages();
    void settle_rest();
    void settle_untouched();
    // Throws Malformed unless `token` is the current action's and the stage is one of these.
    void expect(std::uint64_t token, std::initializer_list<Stage> stages) const;
    // From the runner.
    void take_opened(Opened opened);
    void take_not_opened(const NotOpened& refused);
    void take_mail_handed_over(const MailHandedOver& all);
    void take_saved(Saved saved);
    void take_acted(const Acted& acted);
    void take_copy_done(const CopyDone& done);
    // From the coordinator.
    void take_scanner_ready(const ScannerReady& ready);
    void take_scan_result(ScanResult result);
    void take_scanner_failed(const ScannerFailed& failed) { scanner_failed(failed); }
    void take_progress(const ScanProgress& progress) { coordinator_waits_ = progress.waits_for_runner; }

    [[nodiscard]] const std::string& why_held(const std::string& signature);
    void settle_current(const Acted& acted);
    void settle_acted(const PlannedAction& action, const Acted& acted);
    void step(const PlannedAction& action, RecordState state, const std::string& message);
    void end_actions();
    void close();

    LogCopy log_;
    Stage stage_ = Stage::Starting;
    std::map<std::uint64_t, Plain> together_;  // by number
    std::uint64_t taken_ = 0;  // the number of the last action that was taken into it, or left for later
    bool took_all_ = false;
    bool judged_waited_ = false;  // long enough for the others
    std::optional<EventLoop::Timer> judged_wait_;
    bool coordinator_waits_ = false;
    std::optional<PlannedAction> current_;  // of those that go one by one
    bool opened_ = false;
    bool is_mailbox_ = false;
    bool may_hold_mail_ = false;
    bool automatic_ = false;  // AutomaticQuarantine asked for it
    std::optional<ScanResult> result_;
    int attempts_ = 0;  // to scan something that keeps being changed
    MailboxCleansing mailbox_;
    std::map<std::string, std::string> held_;  // by signature: why files are not deleted for it; empty: they are
    bool lacks_signatures_ = false;            // there is a database, but the scanner could not load it
    std::string deletions_held_;               // why nothing is deleted, whatever its signature; empty: it is
    bool log_tried_anew_ = false;
    bool turn_ends_ = false;
};

// Only copies the log of an ended disinfection, for which the home had no room when it ran.
class LogCopyJob : public Job {
 public:
    LogCopyJob(const JobContext& context, AccountTask task);

 protected:
    void begin() override;
    void receive_from_runner(Packet& packet) override;
    void receive_from_coordinator(Packet&) override {}
    void feed_runner() override { log_.feed(to_runner_); }
    [[nodiscard]] bool needs_engine() const override { return false; }
    [[nodiscard]] bool waits_for_runner() const override { return true; }
    void end_turn() override {}

 private:
    LogCopy log_;
};

}  // namespace clamscanner
