#include "jobs/jobd/restoration_job.h"

namespace clamscanner {

Act act_of(const PlannedAction& action, bool again) {
    return {action.number, action.path,  action.action,   action.opaque, action.identity,
            action.sha256, action.virus, action.metadata, again};
}

void RestorationJob::begin() {
    surroundings_.ledger.begin(task().id);
    go_on();
}

bool RestorationJob::begin_next_action() {
    auto& ledger = surroundings_.ledger;
    if (turn_ends_) {
        finish(End::TurnOver, "others have their turn");
        return false;
    }
    current_ = ledger.next_action(task().id);
    if (!current_) {
        ledger.end(task().id, Outcome::Completed, "");
        to_runner_.add(Finish{});
        finish(End::Over, "");
        return false;
    }
    if (!current_->listed) {
        ledger.record_step(task().id, *current_, RecordState::Error, "there is no file of this id in the quarantine");
        return true;
    }
    to_runner_.add(act_of(*current_, true));
    return false;
}

void RestorationJob::hear_runner(Packet& packet) {
    const auto acted = decode<Acted>(packet.bytes);
    // Of what is not listed it was asked nothing.
    if (!current_ || !current_->listed || acted.token != current_->number || !may_be_done(acted.state))
        throw Malformed("the runner did something else than it was asked");
    auto& ledger = surroundings_.ledger;
    if (acted.state != RecordState::Error) ledger.quarantine().forget(task().account, current_->opaque);
    if (acted.state == RecordState::Restored) ledger.return_to_list(task().account, current_->path);
    // Another content than was quarantined is left alone, and is no part of the quarantine any more.
    const bool left_alone = acted.state == RecordState::NoAction;
    ledger.record_step(task().id, *current_, left_alone ? RecordState::Error : acted.state,
                       left_alone ? acted.message + ". It is no longer listed here; a scan finds it if it is infected"
                                  : acted.message);
    go_on();
}

bool RestorationJob::may_be_done(RecordState state) const {
    if (state == RecordState::Error) return true;
    if (current_->action == Action::Restore) return state == RecordState::Restored;
    return state == RecordState::Deleted || state == RecordState::NoAction;
}

}  // namespace clamscanner
