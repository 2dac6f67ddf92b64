#include "jobs/jobd/restoration_job.h"

#include "jobs/jobd/brake.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

Act act_of(const PlannedAction& action, bool again) {
    return {action.number, action.path,  action.action,   action.opaque, action.identity,
            action.sha256, action.virus, action.metadata, again};
}

void RestorationJob::begin() {
    context_.ledger.tasks().begin(task().id);
    proceed();
}

bool RestorationJob::begin_next_action() {
    auto& ledger = context_.ledger;
    if (turn_ends_) {
        finish(End::TurnOver, "others have their turn");
        return false;
    }
    current_ = ledger.records().next_action(task().id);
    if (!current_) {
        ledger.tasks().end(task().id, Outcome::Completed, "");
        to_runner_.add(Finish{});
        finish(End::Over, "");
        return false;
    }
    if (!current_->listed) {
        ledger.records().record_step(task().id, *current_, RecordState::Error,
                                     "there is no file of this id in the quarantine");
        return true;
    }
    if (const auto why = why_kept(); !why.empty()) {
        ledger.records().record_step(task().id, *current_, RecordState::Error, why);
        return true;
    }
    to_runner_.add(act_of(*current_, true));
    return false;
}

// Its owner may not know that the signature is wrong.
std::string RestorationJob::why_kept() {
    if (current_->action != Action::Discard) return {};
    const auto why = Brake(context_.ledger, context_.config).why_held(task().account, current_->virus);
    if (why.empty()) return {};
    return why + ". The file stays in the quarantine. To delete it, " + Brake::how_to_allow(current_->virus);
}

void RestorationJob::receive_from_runner(Packet& packet) {
    const auto acted = decode<Acted>(packet.bytes);
    // For an action that is not listed, the runner got no order.
    if (!current_ || !current_->listed || acted.token != current_->number || !is_expected(acted.state))
        throw Malformed("the runner did something that it was not asked to do");
    auto& ledger = context_.ledger;
    if (acted.state != RecordState::Error) ledger.quarantine().forget(task().account, current_->opaque);
    if (acted.state == RecordState::Restored || acted.state == RecordState::Deleted) {
        // If it was adopted, a scan found it where it lay.
        const auto quarantine = path_in(account().home, quarantine_directory);
        ledger.finds().leave_list(task().account, path_in(quarantine, current_->opaque));
    }
    if (acted.state == RecordState::Restored) {
        ledger.finds().return_to_list(task().account, current_->path);
        ledger.outbox().note_step(task().account, current_->path, RecordState::Restored);
    }
    // A file whose content has changed is left alone, and is no longer listed in the quarantine.
    const bool left_alone = acted.state == RecordState::NoAction;
    ledger.records().record_step(
        task().id, *current_, left_alone ? RecordState::Error : acted.state,
        left_alone ? acted.message + ". It is no longer listed here; a scan finds it if it is infected"
                   : acted.message);
    proceed();
}

bool RestorationJob::is_expected(RecordState state) const {
    if (state == RecordState::Error) return true;
    if (current_->action == Action::Restore) return state == RecordState::Restored;
    return state == RecordState::Deleted || state == RecordState::NoAction;
}

}  // namespace clamscanner
