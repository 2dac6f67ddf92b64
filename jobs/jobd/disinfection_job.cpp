#include "jobs/jobd/disinfection_job.h"

#include <algorithm>

#include "auth/base/log.h"
#include "auth/base/random.h"
#include "jobs/jobd/brake.h"
#include "jobs/jobd/restoration_job.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

// How often one action scans a mailbox's messages, or a moved file, when they keep being changed.
constexpr int most_attempts = 5;
constexpr const char* quarantined_instead =
    "its content has changed since the scan and is still infected, so it was quarantined instead of deleted";
constexpr const char* already_there = "it was in the quarantine already, from before the home moved, and stays there";
constexpr const char* not_a_mailbox = "it is not a mailbox of many messages in one file, so it was left alone";
constexpr const char* changed_since = "its content has changed since the scan, and is still infected";
constexpr const char* not_known_since =
    "its content when it was found is unknown, so it was quarantined instead of deleted";

LogCopy::Source records_of(Ledger& ledger, TaskId task) {
    return [&ledger, task](std::uint64_t after, std::size_t limit) {
        return ledger.records_after(task, after, answer_budget, limit).records;
    };
}

std::string summary_of(const std::map<RecordState, std::uint64_t>& counts) {
    static constexpr std::pair<RecordState, const char*> words[] = {
        {RecordState::Deleted, "deleted"},
        {RecordState::Quarantined, "quarantined"},
        {RecordState::MailboxCleansed, "cleansed"},
        {RecordState::NoAction, "left as they are"},
        {RecordState::Error, "failed"},
    };
    std::string summary;
    for (const auto& [state, word] : words) {
        const auto found = counts.find(state);
        if (found == counts.end()) continue;
        summary += (summary.empty() ? "" : ", ") + std::to_string(found->second) + " " + word;
    }
    return summary;
}

RecordState end_state(const std::map<RecordState, std::uint64_t>& counts) {
    if (counts.contains(RecordState::Error)) return RecordState::Error;
    return counts.contains(RecordState::NoAction) ? RecordState::Info : RecordState::Success;
}

}  // namespace

DisinfectionJob::DisinfectionJob(const JobContext& context, AccountTask task)
    : Job(context, std::move(task)), log_(LogFile::Disinfection, records_of(context_.ledger, this->task().id)) {}

void DisinfectionJob::begin() {
    context_.ledger.begin(task().id);
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(take_coordinator_for_runner());
    to_runner_.add(UseCoordinator{}, std::move(descriptors));
    log_.begin(to_runner_);
}

// ---- The actions ---------------------------------------------------------------------------------------------------

bool DisinfectionJob::begin_next_action() {
    if (turn_ends_) {
        finish(End::TurnOver, "others have their turn");
        return false;
    }
    current_ = context_.ledger.next_action(task().id);
    attempts_ = 0;
    if (!current_) {
        end_actions();
        return false;
    }
    if (settle_without_runner(*current_)) return true;
    if (!current_->intended)
        request_scan(Stage::Rescanning);
    else if (current_->moved == Moved::Changed)
        request_scan(Stage::RescanningMoved);
    else if (current_->moved != Moved::AsScanned)
        put_back();
    else
        act(true);
    return false;
}

bool DisinfectionJob::settle_without_runner(const PlannedAction& action) {
    if (!action.listed) {
        step(RecordState::Error, not_listed_text);
    } else if (action.action == Action::Ignore) {
        step(RecordState::NoAction, ignored_text);
    } else {
        return false;
    }
    return true;
}

void DisinfectionJob::step(RecordState state, const std::string& message) {
    context_.ledger.record_step(task().id, *current_, state, message);
}

void DisinfectionJob::act(bool again) {
    stage_ = Stage::Acting;
    mailbox_.begin_cutting();
    for (const auto& cut : current_->cuts) to_runner_.add(CutMail(cut));
    to_runner_.add(order_for(again));
}

Act DisinfectionJob::order_for(bool again) const {
    Act order = act_of(*current_, again);
    // Of a mailbox, the messages to take out are all that the runner goes by.
    if (order.action == Action::CleanseMailbox) order.action = Action::Quarantine;
    const auto& mail = context_.config.scan_of(ScanType::Mail).directory;
    order.in_mail = !mail.empty() && is_below(current_->path, path_in(account().home, mail));
    return order;
}

void DisinfectionJob::request_scan(Stage stage) {
    stage_ = stage;
    opened_ = false;
    result_.reset();
    if (stage == Stage::RescanningMoved)
        to_runner_.add(ScanMoved{current_->number, current_->path, current_->opaque});
    else
        to_runner_.add(ScanFile{current_->number, current_->path});
}

// The runner's Opened and the coordinator's result arrive on two sockets, in either order.
void DisinfectionJob::settle_scan() {
    if (!opened_ || !result_) return;
    if (stage_ == Stage::Rescanning) return settle_result();
    if (stage_ == Stage::RescanningRest) return settle_rest();
    settle_moved();
}

void DisinfectionJob::settle_result() {
    const ScanResult& result = *result_;
    auto& ledger = context_.ledger;
    if (result.verdict == Verdict::Clean) {
        ledger.leave_list(task().account, current_->path);
        step(RecordState::NoAction, "no longer infected, so it was left alone");
    } else if (result.verdict == Verdict::Unscanned) {
        step(RecordState::Error,
             std::string("it could not be scanned again, so it was left alone: ") + text_of(result.reason));
    } else if (confirm_adopted(result)) {
        step(RecordState::Quarantined, already_there);
    } else if (is_mailbox_) {
        attempts_ = 1;
        scan_messages();
        return;
    } else if (current_->action == Action::CleanseMailbox) {
        step(RecordState::Error, not_a_mailbox);
    } else {
        act_on_infected(result);
        return;
    }
    proceed();
}

// The owner asked to delete the content that the scan found. Other infected content might be anything, so it is
// quarantined.
void DisinfectionJob::act_on_infected(const ScanResult& result) {
    const auto found = context_.ledger.found_sha256(task().account, current_->path);
    if (found.empty() && current_->action == Action::Delete) {
        current_->remark = not_known_since;
        current_->action = Action::Quarantine;
    } else if (result.sha256 != found && !found.empty()) {
        current_->remark = current_->action == Action::Delete ? quarantined_instead : changed_since;
        current_->action = Action::Quarantine;
    }
    if (current_->action == Action::Delete && !why_held(result.virus).empty()) {
        step(RecordState::Error, why_held(result.virus));
        proceed();
        return;
    }
    adopt_result(result);
    current_->opaque = random_hex(16);
    // Committed before the runner gets the order: packets are sent only after the commit.
    context_.ledger.intend(task().id, *current_);
    act(false);
}

void DisinfectionJob::adopt_result(const ScanResult& result) {
    current_->identity = result.identity;
    current_->sha256 = result.sha256;
    current_->virus = result.virus;
}

// ---- What was adopted -----------------------------------------------------------------------------------------------

// The name in the quarantine of what is acted on; "" if it lies elsewhere.
std::string DisinfectionJob::name_in_quarantine() const {
    const auto directory = path_in(account().home, quarantine_directory);
    return is_below(current_->path, directory) ? current_->path.substr(directory.size() + 1) : std::string();
}

// It needs not be moved to be quarantined: now it is known that its content is infected, and what its record said.
bool DisinfectionJob::confirm_adopted(const ScanResult& result) {
    const auto name = name_in_quarantine();
    const bool stays = current_->action == Action::Quarantine || is_mailbox_;
    if (name.empty() || !stays || current_->metadata.mode != quarantined_mode) return false;
    adopt_result(result);
    if (!context_.ledger.quarantine().confirm(task().account, name, *current_)) return false;
    context_.ledger.leave_list(task().account, current_->path);
    return true;
}

// Put into the list under its new name. If it was adopted, it goes back where its record says, not into the quarantine.
void DisinfectionJob::list_quarantined(const Acted& acted) {
    auto& quarantine = context_.ledger.quarantine();
    auto listed = *current_;
    if (const auto adopted = quarantine.find_adopted(task().account, name_in_quarantine())) {
        listed.path = adopted->path;
        listed.metadata = adopted->metadata;
        listed.identity.mtime_ns = adopted->identity.mtime_ns;
    }
    quarantine.add(task().account, listed, acted.device, acted.inode, acted.may_hold_mail);
}

// ---- The moved file differs from the scanned one --------------------------------------------------------------------

// Malware must not escape by rewriting itself, and a good file that took its place must not be lost.
void DisinfectionJob::rescan_moved(const Acted& acted) {
    if (++attempts_ > most_attempts) return quarantine_as_last_scanned();
    if (current_->action == Action::Delete)
        current_->remark = quarantined_instead;
    else if (current_->remark.empty() || current_->moved > Moved::Changed)
        current_->remark = changed_since;
    current_->action = Action::Quarantine;
    // Only the first time: later the file has the mode that we gave it.
    if (current_->moved == Moved::AsScanned) current_->metadata = acted.metadata;
    current_->moved = Moved::Changed;
    context_.ledger.intend(task().id, *current_);
    request_scan(Stage::RescanningMoved);
}

void DisinfectionJob::settle_moved() {
    const bool clean = result_->verdict == Verdict::Clean && !result_->sha256.empty();
    if (result_->verdict == Verdict::Infected) {
        adopt_result(*result_);
        context_.ledger.intend(task().id, *current_);
        act(true);
        return;
    }
    current_->moved = clean ? Moved::PutBackClean : Moved::PutBackUnscanned;
    current_->identity = result_->identity;
    current_->sha256 = result_->sha256;
    current_->remark = clean ? "it was changed meanwhile, and what it is now is not infected"
                             : "it was changed meanwhile, and what it is now could not be scanned";
    context_.ledger.intend(task().id, *current_);
    put_back();
}

void DisinfectionJob::put_back() {
    stage_ = Stage::Acting;
    Act back = order_for(true);
    back.put_back = true;
    to_runner_.add(std::move(back));
}

void DisinfectionJob::settle_put_back(const Acted& acted) {
    auto& ledger = context_.ledger;
    const bool clean = current_->moved == Moved::PutBackClean;
    if (acted.state == RecordState::Quarantined) {
        keep_unscanned(acted.device, acted.inode);
        if (clean) ledger.quarantine().set_clean(task().account, current_->opaque, true);
        step(RecordState::Quarantined, current_->remark + "; " + acted.message);
    } else if (acted.state == RecordState::NoAction) {
        if (clean) ledger.leave_list(task().account, current_->path);
        step(clean ? RecordState::NoAction : RecordState::Error, current_->remark + "; it was put back");
    } else {
        step(RecordState::Error, current_->remark + "; " + acted.message);
    }
    proceed();
}

// It is quarantined, but its present content is not known to be infected, so it never expires.
void DisinfectionJob::keep_unscanned(std::uint64_t device, std::uint64_t inode) {
    context_.ledger.quarantine().add(task().account, *current_, device, inode, true);
}

// It has been moved away, whatever is written into it now; if it is no longer as recorded, the next scan finds it in
// the quarantine.
void DisinfectionJob::quarantine_as_last_scanned() {
    keep_unscanned(current_->identity.device, current_->identity.inode);
    context_.ledger.leave_list(task().account, current_->path);
    step(RecordState::Quarantined, "a program keeps rewriting it, even where it is now, so its content is unknown");
    proceed();
}

// ---- A mailbox ------------------------------------------------------------------------------------------------------

// Never moved or deleted as a whole: one infected message is no reason to take away all mail.
void DisinfectionJob::scan_messages() {
    adopt_result(*result_);
    current_->cuts.clear();
    mailbox_.begin_scan();
    stage_ = Stage::ScanningMessages;
    to_runner_.add(ScanMailbox{current_->number, current_->path});
}

void DisinfectionJob::settle_messages() {
    if (!mailbox_.is_scanned()) return;
    current_->cuts = mailbox_.take_cuts();
    if (current_->cuts.empty()) {
        step(RecordState::Error, "the mailbox as a whole is reported as infected (" + current_->virus +
                                     "), but none of its messages is; it was left alone");
        proceed();
        return;
    }
    current_->opaque = random_hex(16);
    context_.ledger.intend(task().id, *current_);
    act(false);
}

void DisinfectionJob::settle_rest() {
    if (!mailbox_.has_saved()) return settle_untouched();
    auto& ledger = context_.ledger;
    mailbox_.list_saved(ledger.quarantine(), task().account, *current_);
    if (result_->verdict == Verdict::Clean) ledger.leave_list(task().account, current_->path);
    step(RecordState::MailboxCleansed, mailbox_.summary(*result_));
    proceed();
}

// None of the scanned messages is in the mailbox any more: the owner removed them, or a mail program changed their
// headers, for example to mark them as read.
void DisinfectionJob::settle_untouched() {
    if (result_->verdict == Verdict::Infected && is_mailbox_ && attempts_++ < most_attempts) {
        scan_messages();
        return;
    }
    if (result_->verdict == Verdict::Clean) {
        context_.ledger.leave_list(task().account, current_->path);
        step(RecordState::NoAction, "the infected messages are not in the mailbox any more, so it was left alone");
    } else if (result_->verdict == Verdict::Unscanned) {
        step(RecordState::Error,
             std::string("it could not be scanned again, so it was left alone: ") + text_of(result_->reason));
    } else {
        step(RecordState::Error,
             "the mailbox kept changing between the scan of its messages and the action; it was left alone");
    }
    proceed();
}

// ---- Held signatures and finished actions ---------------------------------------------------------------------------

// Asked once per signature: finding the answer takes as long as the list of finds is.
const std::string& DisinfectionJob::why_held(const std::string& signature) {
    if (!deletions_held_.empty()) return deletions_held_;
    const auto [known, fresh] = held_.try_emplace(signature);
    if (fresh) known->second = Brake(context_.ledger, context_.config).why_held(task().account, signature);
    return known->second;
}

void DisinfectionJob::settle_acted(const Acted& acted) {
    if (acted.content_differs) return rescan_moved(acted);
    if (current_->moved > Moved::Changed) return settle_put_back(acted);
    // What is left of the mailbox is scanned, too.
    if (acted.state == RecordState::MailboxCleansed) return request_scan(Stage::RescanningRest);
    auto& ledger = context_.ledger;
    if (acted.state == RecordState::Quarantined) list_quarantined(acted);
    if (acted.state != RecordState::Error) {
        ledger.leave_list(task().account, current_->path);
        ledger.quarantine().forget_adopted(task().account, name_in_quarantine());
    }
    std::string text = acted.state == RecordState::Quarantined ? current_->remark : std::string();
    if (!acted.message.empty()) text += (text.empty() ? "" : "; ") + acted.message;
    step(acted.state, text);
    proceed();
}

bool DisinfectionJob::is_expected(RecordState state) const {
    if (current_->moved > Moved::Changed) return state == RecordState::NoAction || state == RecordState::Quarantined;
    if (!current_->cuts.empty()) return state == RecordState::MailboxCleansed;
    // The runner quarantines instead of deleting what may hold more than one mail message.
    return state == RecordState::Quarantined || (state == RecordState::Deleted && current_->action == Action::Delete);
}

// ---- Packets from the runner and the coordinator --------------------------------------------------------------------

void DisinfectionJob::receive_from_runner(Packet& packet) {
    static constexpr Handler<DisinfectionJob, void> table[] = {
        handles<&DisinfectionJob::take_opened>,
        handles<&DisinfectionJob::take_not_opened>,
        handles<&DisinfectionJob::take_mail_handed_over>,
        handles<&DisinfectionJob::take_saved>,
        handles<&DisinfectionJob::take_acted>,
        handles<&DisinfectionJob::take_copy_done>,
    };
    dispatch(table, *this, packet.bytes);
}

void DisinfectionJob::expect(std::uint64_t token, std::initializer_list<Stage> stages) const {
    if (std::find(stages.begin(), stages.end(), stage_) == stages.end() || !current_ || current_->number != token)
        throw Malformed("the runner sent an answer that was not asked for");
}

void DisinfectionJob::take_opened(Opened opened) {
    expect(opened.token, {Stage::Rescanning, Stage::RescanningRest, Stage::RescanningMoved});
    opened_ = true;
    is_mailbox_ = opened.mailbox;
    if (stage_ == Stage::Rescanning) current_->metadata = std::move(opened.metadata);
    settle_scan();
}

void DisinfectionJob::take_not_opened(const NotOpened& refused) {
    expect(refused.token, {Stage::Rescanning, Stage::ScanningMessages, Stage::RescanningRest, Stage::RescanningMoved});
    if (stage_ == Stage::RescanningRest) {
        // The mailbox was cleansed, and has vanished since.
        opened_ = true;
        result_.emplace().reason = UnscannedReason::Vanished;
        return settle_scan();
    }
    if (stage_ == Stage::RescanningMoved && refused.is_moved) {
        current_->sha256.clear();  // so that it can be restored
        keep_unscanned(current_->identity.device, current_->identity.inode);
        context_.ledger.leave_list(task().account, current_->path);
        step(RecordState::Quarantined,
             "it was changed meanwhile, and what it is now could not be opened to be scanned; it is kept");
    } else {
        step(RecordState::Error, refused.why + (stage_ == Stage::RescanningMoved ? "" : "; it was left alone"));
    }
    proceed();
}

void DisinfectionJob::take_mail_handed_over(const MailHandedOver& all) {
    expect(all.token, {Stage::ScanningMessages});
    mailbox_.take_count(all.messages);
    settle_messages();
}

void DisinfectionJob::take_saved(Saved saved) {
    if (stage_ != Stage::Acting) throw Malformed("the runner saved a message that it was not asked to save");
    mailbox_.take_saved(std::move(saved), current_->cuts);
}

void DisinfectionJob::take_acted(const Acted& acted) {
    expect(acted.token, {Stage::Acting});
    if (acted.state != RecordState::Error && !is_expected(acted.state))
        throw Malformed("the runner did something that it was not asked to do");
    settle_acted(acted);
}

void DisinfectionJob::receive_from_coordinator(Packet& packet) {
    static constexpr Handler<DisinfectionJob, void> table[] = {
        handles<&DisinfectionJob::take_scanner_ready>,
        handles<&DisinfectionJob::take_scan_result>,
        handles<&DisinfectionJob::take_scanner_failed>,
        handles<&DisinfectionJob::take_progress>,
    };
    dispatch(table, *this, packet.bytes);
}

void DisinfectionJob::take_scanner_ready(const ScannerReady& ready) {
    lacks_signatures_ = ready.embedded_only && !ready.problem.empty();
    if (ready.may_find_too_much)
        deletions_held_ =
            "deleting is held, because the signatures and allow-lists of this host could not all be loaded (" +
            printable(ready.problem).substr(0, 500) +
            "). The file was left alone. Put it into quarantine, which can be undone, or ask your "
            "administrator to mend that.";
    if (stage_ == Stage::Starting) proceed();
}

void DisinfectionJob::take_scan_result(ScanResult result) {
    if (lacks_signatures_ && result.verdict == Verdict::Clean) result.verdict = Verdict::Unscanned;
    if (stage_ == Stage::ScanningMessages) {
        mailbox_.take_result(std::move(result));
        return settle_messages();
    }
    if (!is_rescanning() || !current_ || result.token != current_->number)
        throw Malformed("the coordinator sent a result that was not asked for");
    result_ = std::move(result);
    settle_scan();
}

// ---- The log in the home -------------------------------------------------------------------------------------------

void DisinfectionJob::end_actions() {
    close_coordinator();
    stage_ = Stage::CheckingLog;
    log_.ask_if_whole();
}

void DisinfectionJob::take_copy_done(const CopyDone& done) {
    log_.answered();
    if (stage_ != Stage::CheckingLog && stage_ != Stage::ClosingLog)
        throw Malformed("the runner sent an answer that was not asked for");
    if (!done.whole && !log_tried_anew_) {
        // The deletions may have freed enough room by now, and a log that was edited is replaced.
        log_tried_anew_ = true;
        log_.begin(to_runner_);
        log_.ask_if_whole();
        return;
    }
    auto& ledger = context_.ledger;
    if (stage_ == Stage::ClosingLog) {
        if (done.whole) ledger.mark_log_whole(task().id);
        to_runner_.add(Finish{});
        finish(End::Over, "");
        return;
    }
    if (!done.whole)
        ledger.record_issue(task().id, RecordState::Warning,
                            "the log in the home is incomplete (" + done.problem +
                                "); it will be written when that is possible, and no record is lost");
    close();
}

void DisinfectionJob::close() {
    auto& ledger = context_.ledger;
    const auto counts = ledger.step_counts(task().id);
    ledger.record_done(task().id, end_state(counts), summary_of(counts), Outcome::Completed);
    stage_ = Stage::ClosingLog;
    log_tried_anew_ = false;
    log_.ask_if_whole();
}

void DisinfectionJob::runner_ended() {
    // Everything is done and recorded; the copy in the home is written later.
    if (stage_ == Stage::ClosingLog) finish(End::Over, "");
    Job::runner_ended();
}

// ---- LogCopyJob ----------------------------------------------------------------------------------------------------

LogCopyJob::LogCopyJob(const JobContext& context, AccountTask task)
    : Job(context, std::move(task)), log_(LogFile::Disinfection, records_of(context_.ledger, this->task().id)) {}

void LogCopyJob::begin() {
    log_.begin(to_runner_);
    log_.ask_if_whole();
}

void LogCopyJob::receive_from_runner(Packet& packet) {
    const auto done = decode<CopyDone>(packet.bytes);
    if (done.whole) context_.ledger.mark_log_whole(task().id);
    finish(done.whole ? End::Over : End::Postponed, done.problem);
}

}  // namespace clamscanner
