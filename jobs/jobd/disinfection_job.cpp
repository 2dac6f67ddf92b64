#include "jobs/jobd/disinfection_job.h"

#include <algorithm>

#include "auth/base/log.h"
#include "auth/base/random.h"
#include "jobs/jobd/brake.h"
#include "jobs/jobd/restoration_job.h"
#include "jobs/shared/message_name.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

// How often the messages of a mailbox, or a file that was moved, are judged for one action, when somebody changes them
// meanwhile.
constexpr int most_attempts = 5;
constexpr const char* quarantined_instead =
    "its content has changed since the scan and is still infected, so it was quarantined instead of deleted";
constexpr const char* changed_since = "its content has changed since the scan, and is still infected";
constexpr const char* not_known_since =
    "nobody knows what its content was when it was found, so it was quarantined instead of deleted";

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

DisinfectionJob::DisinfectionJob(const JobSurroundings& surroundings, AccountTask task)
    : Job(surroundings, std::move(task)),
      log_(LogFile::Disinfection, records_of(surroundings_.ledger, this->task().id)) {}

void DisinfectionJob::begin() {
    surroundings_.ledger.begin(task().id);
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
    current_ = surroundings_.ledger.next_action(task().id);
    attempts_ = 0;
    if (!current_) {
        end_actions();
        return false;
    }
    if (settle_without_runner(*current_)) return true;
    if (!current_->intended)
        ask_judgement(Stage::Judging);
    else if (current_->moved == Moved::AsAnother)
        ask_judgement(Stage::JudgingMoved);
    else if (current_->moved != Moved::AsJudged)
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
    surroundings_.ledger.record_step(task().id, *current_, state, message);
}

void DisinfectionJob::act(bool again) {
    stage_ = Stage::Acting;
    saved_.clear();
    for (const auto& cut : current_->cuts) to_runner_.add(CutMessage(cut));
    to_runner_.add(order_for(again));
}

Act DisinfectionJob::order_for(bool again) const {
    Act order = act_of(*current_, again);
    const auto& mail = surroundings_.config.scan_of(ScanType::Mail).directory;
    order.in_mail = !mail.empty() && is_below(current_->path, path_in(account().home, mail));
    return order;
}

void DisinfectionJob::ask_judgement(Stage stage) {
    stage_ = stage;
    opened_ = false;
    judged_.reset();
    if (stage == Stage::JudgingMoved)
        to_runner_.add(JudgeMoved{current_->number, current_->path, current_->opaque});
    else
        to_runner_.add(Judge{current_->number, current_->path});
}

// The runner's word that it opened the file and the coordinator's verdict come on two sockets, in either order.
void DisinfectionJob::settle_judgement() {
    if (!opened_ || !judged_) return;
    if (stage_ == Stage::Judging) return settle_judged();
    if (stage_ == Stage::JudgingRest) return settle_rest();
    settle_moved();
}

void DisinfectionJob::settle_judged() {
    const Judged& judged = *judged_;
    auto& ledger = surroundings_.ledger;
    if (judged.verdict == Verdict::Clean) {
        ledger.leave_list(task().account, current_->path);
        step(RecordState::NoAction, "no longer infected, so it was left alone");
    } else if (judged.verdict == Verdict::Unscanned) {
        step(RecordState::Error,
             std::string("it could not be scanned again, so it was left alone: ") + text_of(judged.reason));
    } else if (is_mailbox_) {
        attempts_ = 1;
        judge_messages();
        return;
    } else {
        act_on_infected(judged);
        return;
    }
    go_on();
}

// What the owner saw in the list and asked to be deleted is that content. Another one that is infected may be anything,
// so it is kept.
void DisinfectionJob::act_on_infected(const Judged& judged) {
    const auto found = surroundings_.ledger.found_content(task().account, current_->path);
    if (found.empty() && current_->action == Action::Delete) {
        current_->remark = not_known_since;
        current_->action = Action::Quarantine;
    } else if (judged.sha256 != found && !found.empty()) {
        current_->remark = current_->action == Action::Delete ? quarantined_instead : changed_since;
        current_->action = Action::Quarantine;
    }
    if (current_->action == Action::Delete && !why_held(judged.virus).empty()) {
        step(RecordState::Error, why_held(judged.virus));
        go_on();
        return;
    }
    take_judgement(judged);
    current_->opaque = random_hex(16);
    // Committed before the runner hears of it: messages go out only after the commit.
    surroundings_.ledger.intend(task().id, *current_);
    act(false);
}

void DisinfectionJob::take_judgement(const Judged& judged) {
    current_->identity = judged.identity;
    current_->sha256 = judged.sha256;
    current_->virus = judged.virus;
}

// ---- What was moved is something else than was judged ---------------------------------------------------------------

// Malware that rewrites itself must not get away by it, nor a good file be lost that took its place.
void DisinfectionJob::judge_moved(const Acted& acted) {
    if (++attempts_ > most_attempts) return quarantine_as_last_judged();
    if (current_->action == Action::Delete)
        current_->remark = quarantined_instead;
    else if (current_->remark.empty() || current_->moved > Moved::AsAnother)
        current_->remark = changed_since;
    current_->action = Action::Quarantine;
    // Later it has the mode that we gave it.
    if (current_->moved == Moved::AsJudged) current_->metadata = acted.metadata;
    current_->moved = Moved::AsAnother;
    surroundings_.ledger.intend(task().id, *current_);
    ask_judgement(Stage::JudgingMoved);
}

void DisinfectionJob::settle_moved() {
    const bool clean = judged_->verdict == Verdict::Clean && !judged_->sha256.empty();
    if (judged_->verdict == Verdict::Infected) {
        take_judgement(*judged_);
        surroundings_.ledger.intend(task().id, *current_);
        act(true);
        return;
    }
    current_->moved = clean ? Moved::BackSinceClean : Moved::BackSinceUnscanned;
    current_->identity = judged_->identity;
    current_->sha256 = judged_->sha256;
    current_->remark = clean ? "it was changed meanwhile, and what it is now is not infected"
                             : "it was changed meanwhile, and what it is now could not be scanned";
    surroundings_.ledger.intend(task().id, *current_);
    put_back();
}

void DisinfectionJob::put_back() {
    stage_ = Stage::Acting;
    Act back = order_for(true);
    back.put_back = true;
    to_runner_.add(std::move(back));
}

void DisinfectionJob::settle_put_back(const Acted& acted) {
    auto& ledger = surroundings_.ledger;
    const bool clean = current_->moved == Moved::BackSinceClean;
    if (acted.state == RecordState::Quarantined) {
        keep_what_is_not_judged(acted.device, acted.inode);
        if (clean) ledger.quarantine().judge(task().account, current_->opaque, true);
        step(RecordState::Quarantined, current_->remark + "; " + acted.message);
    } else if (acted.state == RecordState::NoAction) {
        if (clean) ledger.leave_list(task().account, current_->path);
        step(clean ? RecordState::NoAction : RecordState::Error, current_->remark + "; it was put back");
    } else {
        step(RecordState::Error, current_->remark + "; " + acted.message);
    }
    go_on();
}

// In the quarantine, and not known to be infected as it is: so time alone does not end it.
void DisinfectionJob::keep_what_is_not_judged(std::uint64_t device, std::uint64_t inode) {
    surroundings_.ledger.quarantine().add(task().account, *current_, device, inode, true);
}

// It is out of its place, whatever is written into it; a scan finds it where it is, if it is not what is known of it.
void DisinfectionJob::quarantine_as_last_judged() {
    keep_what_is_not_judged(current_->identity.device, current_->identity.inode);
    surroundings_.ledger.leave_list(task().account, current_->path);
    step(RecordState::Quarantined,
         "a program rewrites it all the time, also where it is now, so nobody knows what it holds");
    go_on();
}

// ---- A mailbox ------------------------------------------------------------------------------------------------------

// Never moved or deleted whole: one infected message is no reason to take a person's mail away.
void DisinfectionJob::judge_messages() {
    take_judgement(*judged_);
    current_->cuts.clear();
    messages_.reset();
    judged_messages_ = 0;
    stage_ = Stage::JudgingMessages;
    to_runner_.add(JudgeMessages{current_->number, current_->path});
}

// They may come before the runner said how many there are.
void DisinfectionJob::take_judged_message(Judged judged) {
    ++judged_messages_;
    if (judged.verdict == Verdict::Infected && current_->cuts.size() < most_messages_cut)
        current_->cuts.push_back({message_name(), std::move(judged.sha256), std::move(judged.virus)});
    settle_messages();
}

void DisinfectionJob::settle_messages() {
    if (!messages_ || judged_messages_ < *messages_) return;
    if (judged_messages_ > *messages_) throw Malformed("the coordinator judged more messages than there are");
    if (current_->cuts.empty()) {
        step(RecordState::Error, "it is a mailbox, infected as a whole (" + current_->virus +
                                     "), but none of its messages is by itself; so it was left alone");
        go_on();
        return;
    }
    current_->opaque = random_hex(16);
    surroundings_.ledger.intend(task().id, *current_);
    act(false);
}

// Whether the infected messages were all that was wrong with it.
void DisinfectionJob::settle_cleansed() {
    ask_judgement(Stage::JudgingRest);
}

void DisinfectionJob::settle_rest() {
    if (saved_.empty()) {
        settle_untouched();
        return;
    }
    auto& ledger = surroundings_.ledger;
    auto message = *current_;
    std::map<std::string, const CutMessage*> cuts;
    for (const auto& cut : current_->cuts) cuts[cut.opaque] = &cut;
    for (const auto& saved : saved_) {
        const CutMessage& cut = *cuts.at(saved.opaque);
        message.opaque = cut.opaque;
        message.sha256 = cut.sha256;
        message.virus = cut.virus;
        message.identity.size = saved.size;
        ledger.quarantine().add(task().account, message, saved.device, saved.inode, saved.may_hold_mail);
    }
    std::string said = std::to_string(saved_.size()) +
                       (saved_.size() == 1 ? " infected message was" : " infected messages were") +
                       " taken out of the mailbox and kept in the quarantine; the others are as they were";
    if (judged_->verdict == Verdict::Clean)
        ledger.leave_list(task().account, current_->path);
    else if (judged_->verdict == Verdict::Infected)
        said += ". What is left of it is still reported as infected (" + judged_->virus + "), so it stays in the list";
    else
        said += std::string(". What is left of it could not be scanned again (") + text_of(judged_->reason) +
                "), so it stays in the list";
    step(RecordState::MailboxCleansed, said);
    go_on();
}

// None of the messages that were judged was there any more: removed by the owner, or changed by a mail program, which
// writes into their heads that they were seen.
void DisinfectionJob::settle_untouched() {
    if (judged_->verdict == Verdict::Infected && is_mailbox_ && attempts_++ < most_attempts) {
        judge_messages();
        return;
    }
    if (judged_->verdict == Verdict::Clean) {
        surroundings_.ledger.leave_list(task().account, current_->path);
        step(RecordState::NoAction, "the infected messages are not in the mailbox any more, so it was left alone");
    } else if (judged_->verdict == Verdict::Unscanned) {
        step(RecordState::Error,
             std::string("it could not be scanned again, so it was left alone: ") + text_of(judged_->reason));
    } else {
        step(RecordState::Error,
             "the mailbox was changed each time between the scan of its messages and what was to be "
             "done; it was left alone");
    }
    go_on();
}

// ---- What stands against it, and what was done ----------------------------------------------------------------------

// Asked once a signature: the answer would take as long as the list of finds is.
const std::string& DisinfectionJob::why_held(const std::string& signature) {
    const auto [known, fresh] = held_.try_emplace(signature);
    if (fresh) known->second = Brake(surroundings_.ledger, surroundings_.config).why_held(task().account, signature);
    return known->second;
}

void DisinfectionJob::settle_acted(const Acted& acted) {
    if (acted.moved_another) return judge_moved(acted);
    if (current_->moved > Moved::AsAnother) return settle_put_back(acted);
    if (acted.state == RecordState::MailboxCleansed) return settle_cleansed();
    auto& ledger = surroundings_.ledger;
    if (acted.state == RecordState::Quarantined)
        ledger.quarantine().add(task().account, *current_, acted.device, acted.inode, acted.may_hold_mail);
    if (acted.state != RecordState::Error) ledger.leave_list(task().account, current_->path);
    std::string said = acted.state == RecordState::Quarantined ? current_->remark : std::string();
    if (!acted.message.empty()) said += (said.empty() ? "" : "; ") + acted.message;
    step(acted.state, said);
    go_on();
}

bool DisinfectionJob::may_be_done(RecordState state) const {
    if (current_->moved > Moved::AsAnother) return state == RecordState::NoAction || state == RecordState::Quarantined;
    if (!current_->cuts.empty()) return state == RecordState::MailboxCleansed;
    // What may hold more than one letter is kept where it was to be deleted.
    return state == RecordState::Quarantined || (state == RecordState::Deleted && current_->action == Action::Delete);
}

// ---- What the others say -------------------------------------------------------------------------------------------

void DisinfectionJob::hear_runner(Packet& packet) {
    static constexpr Handler<DisinfectionJob, void> table[] = {
        handles<&DisinfectionJob::take_opened>,
        handles<&DisinfectionJob::take_not_opened>,
        handles<&DisinfectionJob::take_messages_handed_over>,
        handles<&DisinfectionJob::take_saved>,
        handles<&DisinfectionJob::take_acted>,
        handles<&DisinfectionJob::take_copy_done>,
    };
    dispatch(table, *this, packet.bytes);
}

void DisinfectionJob::expect(std::uint64_t token, std::initializer_list<Stage> stages) const {
    if (std::find(stages.begin(), stages.end(), stage_) == stages.end() || !current_ || current_->number != token)
        throw Malformed("the runner answers what it was not asked");
}

void DisinfectionJob::take_opened(Opened opened) {
    expect(opened.token, {Stage::Judging, Stage::JudgingRest, Stage::JudgingMoved});
    opened_ = true;
    is_mailbox_ = opened.mailbox;
    if (stage_ == Stage::Judging) current_->metadata = std::move(opened.metadata);
    settle_judgement();
}

void DisinfectionJob::take_not_opened(const NotOpened& refused) {
    expect(refused.token, {Stage::Judging, Stage::JudgingMessages, Stage::JudgingRest, Stage::JudgingMoved});
    if (stage_ == Stage::JudgingRest) {
        // Cleansed, and gone since.
        opened_ = true;
        judged_.emplace().reason = UnscannedReason::Vanished;
        return settle_judgement();
    }
    if (stage_ == Stage::JudgingMoved && refused.is_moved) {
        current_->sha256.clear();  // so that it can be restored
        keep_what_is_not_judged(current_->identity.device, current_->identity.inode);
        surroundings_.ledger.leave_list(task().account, current_->path);
        step(RecordState::Quarantined,
             "it was changed meanwhile, and what it is now could not be opened to be scanned; it is kept");
    } else {
        step(RecordState::Error, refused.why + (stage_ == Stage::JudgingMoved ? "" : "; it was left alone"));
    }
    go_on();
}

void DisinfectionJob::take_messages_handed_over(const MessagesHandedOver& all) {
    expect(all.token, {Stage::JudgingMessages});
    messages_ = all.messages;
    settle_messages();
}

void DisinfectionJob::take_saved(Saved saved) {
    const auto is_it = [&](const CutMessage& cut) { return cut.opaque == saved.opaque; };
    const auto is_told = [&](const Saved& other) { return other.opaque == saved.opaque; };
    if (stage_ != Stage::Acting || std::none_of(current_->cuts.begin(), current_->cuts.end(), is_it) ||
        std::any_of(saved_.begin(), saved_.end(), is_told))
        throw Malformed("the runner saved what it was not asked to");
    saved_.push_back(std::move(saved));
}

void DisinfectionJob::take_acted(const Acted& acted) {
    expect(acted.token, {Stage::Acting});
    if (acted.state != RecordState::Error && !may_be_done(acted.state))
        throw Malformed("the runner did something else than it was asked");
    settle_acted(acted);
}

void DisinfectionJob::hear_coordinator(Packet& packet) {
    static constexpr Handler<DisinfectionJob, void> table[] = {
        handles<&DisinfectionJob::take_scanner_ready>,
        handles<&DisinfectionJob::take_judged>,
        handles<&DisinfectionJob::take_scanner_failed>,
        handles<&DisinfectionJob::take_progress>,
    };
    dispatch(table, *this, packet.bytes);
}

void DisinfectionJob::take_scanner_ready(const ScannerReady&) {
    if (stage_ == Stage::Starting) go_on();
}

void DisinfectionJob::take_judged(Judged judged) {
    if (stage_ == Stage::JudgingMessages) return take_judged_message(std::move(judged));
    if (!is_judging() || !current_ || judged.token != current_->number)
        throw Malformed("the coordinator judges what it was not asked");
    judged_ = std::move(judged);
    settle_judgement();
}

// ---- The log in the home -------------------------------------------------------------------------------------------

void DisinfectionJob::end_actions() {
    dismiss_coordinator();
    stage_ = Stage::CheckingLog;
    log_.ask_whether_whole();
}

void DisinfectionJob::take_copy_done(const CopyDone& done) {
    log_.answered();
    if (stage_ != Stage::CheckingLog && stage_ != Stage::ClosingLog)
        throw Malformed("the runner answers what it was not asked");
    if (!done.whole && !log_tried_anew_) {
        // Whatever the deletions freed may be room enough by now, and who edited the log gets it as it should be.
        log_tried_anew_ = true;
        log_.begin(to_runner_);
        log_.ask_whether_whole();
        return;
    }
    auto& ledger = surroundings_.ledger;
    if (stage_ == Stage::ClosingLog) {
        if (done.whole) ledger.log_is_whole(task().id);
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
    auto& ledger = surroundings_.ledger;
    const auto counts = ledger.step_counts(task().id);
    ledger.record_done(task().id, end_state(counts), summary_of(counts), Outcome::Completed);
    stage_ = Stage::ClosingLog;
    log_tried_anew_ = false;
    log_.ask_whether_whole();
}

void DisinfectionJob::runner_ended() {
    // All is done and recorded: the copy in the home is made good later.
    if (stage_ == Stage::ClosingLog) finish(End::Over, "");
    Job::runner_ended();
}

// ---- LogCopyJob ----------------------------------------------------------------------------------------------------

LogCopyJob::LogCopyJob(const JobSurroundings& surroundings, AccountTask task)
    : Job(surroundings, std::move(task)),
      log_(LogFile::Disinfection, records_of(surroundings_.ledger, this->task().id)) {}

void LogCopyJob::begin() {
    log_.begin(to_runner_);
    log_.ask_whether_whole();
}

void LogCopyJob::hear_runner(Packet& packet) {
    const auto done = decode<CopyDone>(packet.bytes);
    if (done.whole) surroundings_.ledger.log_is_whole(task().id);
    finish(done.whole ? End::Over : End::Postponed, done.problem);
}

}  // namespace clamscanner
