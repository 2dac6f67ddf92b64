// A running restoration: each quarantined file is put back or deleted for good, its step is recorded, and the file is
// removed from jobd's list. The request itself serves as the recorded intent. Nothing is scanned: the owner decides
// what comes back.
#pragma once

#include <optional>

#include "jobs/jobd/job.h"

namespace clamscanner {

class RestorationJob : public Job {
 public:
    using Job::Job;

 protected:
    void begin() override;
    void receive_from_runner(Packet& packet) override;
    void receive_from_coordinator(Packet&) override {}
    [[nodiscard]] bool needs_engine() const override { return false; }
    [[nodiscard]] bool waits_for_runner() const override { return true; }
    void end_turn() override { turn_ends_ = true; }

 private:
    void proceed() {
        in_pieces([this] { return begin_next_action(); });
    }
    // True if the action is finished already and the next one can begin.
    [[nodiscard]] bool begin_next_action();

    // Why a file must not be deleted, for its owner; empty: it may be.
    [[nodiscard]] std::string why_kept();
    [[nodiscard]] bool is_expected(RecordState state) const;

    std::optional<PlannedAction> current_;
    bool turn_ends_ = false;
};

// The order to the runner.
[[nodiscard]] Act act_of(const PlannedAction& action, bool again);

}  // namespace clamscanner
