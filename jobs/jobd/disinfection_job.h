// A disinfection while it runs: one action after the other, each judged anew, its intent recorded before anything is
// touched and its step recorded after. Taken up again after a crash, it goes on from the intent it finds.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "jobs/jobd/job.h"
#include "jobs/jobd/log_copy.h"

namespace clamscanner {

inline constexpr const char* not_listed_text = "the file is not in the list of infected files, so it was left alone";
inline constexpr const char* ignored_text = "ignored, as asked";

class DisinfectionJob : public Job {
 public:
    DisinfectionJob(const JobSurroundings& surroundings, AccountTask task);
    [[nodiscard]] std::string current_file() const override { return current_ ? current_->path : std::string(); }

 protected:
    void begin() override;
    void hear_runner(Packet& packet) override;
    void hear_coordinator(Packet& packet) override;
    void feed_runner() override { log_.feed(to_runner_); }
    [[nodiscard]] bool waits_for_runner() const override {
        if (stage_ == Stage::JudgingMessages) return !messages_;
        return stage_ != Stage::Starting && !(is_judging() && opened_);
    }
    void runner_ended() override;
    // Between two actions; whatever was begun is carried out.
    void end_turn() override { turn_ends_ = true; }

 private:
    // A mailbox goes from Judging by way of its messages to Acting, and is judged once more as JudgingRest. What turns
    // out to be something else than was judged goes from Acting to JudgingMoved and back.
    enum class Stage { Starting, Judging, JudgingMessages, Acting, JudgingRest, JudgingMoved, CheckingLog, ClosingLog };

    // One file, by its path: the runner opens it, the coordinator judges it.
    [[nodiscard]] bool is_judging() const {
        return stage_ == Stage::Judging || stage_ == Stage::JudgingRest || stage_ == Stage::JudgingMoved;
    }

    void go_on() {
        in_pieces([this] { return begin_next_action(); });
    }
    // Whether it is settled already, and there may be another.
    [[nodiscard]] bool begin_next_action();
    [[nodiscard]] bool settle_without_runner(const PlannedAction& action);
    void act(bool again);
    [[nodiscard]] Act order_for(bool again) const;
    void ask_judgement(Stage stage);
    void settle_judgement();
    void settle_judged();
    void act_on_infected(const Judged& judged);
    void judge_moved(const Acted& acted);
    void settle_moved();
    void take_judgement(const Judged& judged);
    [[nodiscard]] bool may_be_done(RecordState state) const;
    void put_back();
    void settle_put_back(const Acted& acted);
    void keep_what_is_not_judged(std::uint64_t device, std::uint64_t inode);
    void quarantine_as_last_judged();
    void judge_messages();
    void take_judged_message(Judged judged);
    void settle_messages();
    void settle_cleansed();
    void settle_rest();
    void settle_untouched();
    // Throws Malformed unless it is about the current action, at one of these stages.
    void expect(std::uint64_t token, std::initializer_list<Stage> stages) const;
    // From the runner.
    void take_opened(Opened opened);
    void take_not_opened(const NotOpened& refused);
    void take_messages_handed_over(const MessagesHandedOver& all);
    void take_saved(Saved saved);
    void take_acted(const Acted& acted);
    void take_copy_done(const CopyDone& done);
    // From the coordinator.
    void take_scanner_ready(const ScannerReady&);
    void take_judged(Judged judged);
    void take_scanner_failed(const ScannerFailed& failed) { finish(End::Failed, failed.why); }
    void take_progress(const ScanProgress&) {}  // its clients ask for the log instead

    [[nodiscard]] const std::string& why_held(const std::string& signature);
    void settle_acted(const Acted& acted);
    void step(RecordState state, const std::string& message);
    void end_actions();
    void close();

    LogCopy log_;
    Stage stage_ = Stage::Starting;
    std::optional<PlannedAction> current_;
    bool opened_ = false;
    bool is_mailbox_ = false;
    std::optional<Judged> judged_;
    int attempts_ = 0;  // at judging something that is changed meanwhile
    // Of a mailbox.
    std::optional<std::uint64_t> messages_;
    std::uint64_t judged_messages_ = 0;
    std::vector<Saved> saved_;
    std::map<std::string, std::string> held_;  // by signature: why nothing is deleted for it
    bool log_tried_anew_ = false;
    bool turn_ends_ = false;
};

// Only the copy of an ended disinfection's log, which the home had no room for when it ran.
class LogCopyJob : public Job {
 public:
    LogCopyJob(const JobSurroundings& surroundings, AccountTask task);

 protected:
    void begin() override;
    void hear_runner(Packet& packet) override;
    void hear_coordinator(Packet&) override {}
    void feed_runner() override { log_.feed(to_runner_); }
    [[nodiscard]] bool needs_engine() const override { return false; }
    [[nodiscard]] bool waits_for_runner() const override { return true; }
    void end_turn() override {}

 private:
    LogCopy log_;
};

}  // namespace clamscanner
