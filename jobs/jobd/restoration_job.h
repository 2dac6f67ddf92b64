// What was asked for of quarantined files, while it runs: each put back or deleted for good, its step recorded, and
// jobd forgets it. The request itself is the recorded intent. Nothing is scanned for it: what comes back is its owner's
// will.
#pragma once

#include <optional>

#include "jobs/jobd/job.h"

namespace clamscanner {

class RestorationJob : public Job {
 public:
    using Job::Job;

 protected:
    void begin() override;
    void hear_runner(Packet& packet) override;
    void hear_coordinator(Packet&) override {}
    [[nodiscard]] bool needs_engine() const override { return false; }
    [[nodiscard]] bool waits_for_runner() const override { return true; }
    void end_turn() override { turn_ends_ = true; }

 private:
    void go_on() {
        in_pieces([this] { return begin_next_action(); });
    }
    // Whether it is settled already, and there may be another.
    [[nodiscard]] bool begin_next_action();

    [[nodiscard]] bool may_be_done(RecordState state) const;

    std::optional<PlannedAction> current_;
    bool turn_ends_ = false;
};

// As it is said to the runner.
[[nodiscard]] Act act_of(const PlannedAction& action, bool again);

}  // namespace clamscanner
