#include "jobs/jobd/disinfection_job.h"

#include <algorithm>

#include "auth/base/log.h"
#include "auth/base/random.h"
#include "jobs/jobd/automatic_quarantine.h"
#include "jobs/jobd/brake.h"
#include "jobs/jobd/restoration_job.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

// How often one action scans a mailbox's messages, or a moved file, when they keep being changed.
constexpr int most_attempts = 5;
// How many plain actions are under way, and how many of them are read from the database at a time.
constexpr std::size_t most_together = 128;
constexpr std::size_t taken_at_once = 16;
constexpr auto longest_wait_for_others = std::chrono::milliseconds(100);
constexpr const char* quarantined_instead =
    "its content has changed since the scan and is still infected, so it was quarantined instead of deleted";
constexpr const char* already_there = "it was in the quarantine already, from before the home moved, and stays there";
constexpr const char* not_a_mailbox = "it is not a mailbox of many messages in one file, so it was left alone";
constexpr const char* changed_since = "its content has changed since the scan, and is still infected";
constexpr const char* not_known_since =
    "its content when it was found is unknown, so it was quarantined instead of deleted";

LogCopy::Source records_of(Ledger& ledger, TaskId task) {
    return [&ledger, task](std::uint64_t after, std::size_t limit) {
        return ledger.records().records_after(task, after, answer_budget, limit).records;
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
    context_.ledger.tasks().begin(task().id);
    automatic_ = context_.ledger.automatic().is_automatic(task().id);
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(take_coordinator_for_runner());
    to_runner_.add(UseCoordinator{}, std::move(descriptors));
    log_.begin(to_runner_);
}

// ---- The actions ---------------------------------------------------------------------------------------------------

// Most actions are plain, and many of them are under way together, so that they share the waiting for the disk. What
// turns out to be more (a mailbox, a file that changes in between, what an interrupted start left) is done after them,
// one by one.
bool DisinfectionJob::begin_next_action() {
    if (turn_ends_ && together_.empty()) {
        finish(End::TurnOver, "others have their turn");
        return false;
    }
    if (!turn_ends_ && !took_all_ && together_.size() < most_together) return take_more();
    if (!together_.empty()) return false;
    current_ = context_.ledger.records().next_action(task().id);
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
        step(action, RecordState::Error, not_listed_text);
    } else if (action.action == Action::Ignore) {
        step(action, RecordState::NoAction, ignored_text);
    } else {
        return false;
    }
    return true;
}

void DisinfectionJob::step(const PlannedAction& action, RecordState state, const std::string& message) {
    context_.ledger.records().record_step(task().id, action, state, message);
    context_.ledger.outbox().note_step(task().account, action.path, state);
}

// ---- Plain actions, many together -----------------------------------------------------------------------------------

bool DisinfectionJob::take_more() {
    stage_ = Stage::Together;
    const auto actions = context_.ledger.records().actions_after(task().id, taken_, taken_at_once);
    took_all_ = actions.empty();
    for (const auto& action : actions) {
        taken_ = action.number;
        if (action.intended || settle_without_runner(action)) continue;
        together_[action.number].action = action;
        to_runner_.add(scan_of(action));
    }
    return true;
}

DisinfectionJob::Plain& DisinfectionJob::plain(std::uint64_t token, Plain::Stage stage) {
    const auto found = together_.find(token);
    if (found == together_.end() || found->second.stage != stage)
        throw Malformed("an answer came that was not asked for");
    return found->second;
}

bool DisinfectionJob::all_act() const {
    return std::all_of(together_.begin(), together_.end(),
                       [](const auto& entry) { return entry.second.stage == Plain::Stage::Acting; });
}

// It is finished, or left in the ledger for later.
void DisinfectionJob::leave(std::uint64_t number) {
    together_.erase(number);
    act_together();
    proceed();
}

void DisinfectionJob::judge_plain(Plain& plain) {
    if (!plain.opened || !plain.result) return;
    auto& action = plain.action;
    switch (judge(action, *plain.result, {plain.is_mailbox, plain.may_hold_mail})) {
        case Judgement::Settled:
        case Judgement::IsMailbox:
            return leave(action.number);
        case Judgement::ToBeActedOn:
            plain.stage = Plain::Stage::Judged;
            act_together();
    }
}

// Once all that are under way are judged, or some have waited for the others long enough. All their intents are
// committed together, then the runner gets all orders together.
void DisinfectionJob::act_together() {
    const auto count = [&](Plain::Stage stage) {
        return std::count_if(together_.begin(), together_.end(),
                             [&](const auto& entry) { return entry.second.stage == stage; });
    };
    if (count(Plain::Stage::Acting) > 0 || count(Plain::Stage::Judged) == 0) return;
    if (count(Plain::Stage::Judging) > 0 && !judged_waited_) {
        if (!judged_wait_)
            judged_wait_ = context_.loop.after(longest_wait_for_others, [this] {
                judged_waited_ = true;
                act_together();
            });
        return;
    }
    judged_wait_.reset();
    judged_waited_ = false;
    for (auto& [number, plain] : together_) {
        if (plain.stage != Plain::Stage::Judged) continue;
        plain.stage = Plain::Stage::Acting;
        context_.ledger.records().intend(task().id, plain.action);
        to_runner_.add(order_for(plain.action, false));
    }
}

void DisinfectionJob::settle_plain(Plain& plain, const Acted& acted) {
    check_expected(plain.action, acted);
    if (acted.content_differs)
        adopt_difference(plain.action, acted);
    else
        settle_acted(plain.action, acted);
    leave(plain.action.number);
}

// ---- One action -----------------------------------------------------------------------------------------------------

void DisinfectionJob::act(bool again) {
    stage_ = Stage::Acting;
    mailbox_.begin_cutting();
    for (const auto& cut : current_->cuts) to_runner_.add(CutMail(cut));
    to_runner_.add(order_for(*current_, again));
}

Act DisinfectionJob::order_for(const PlannedAction& action, bool again) const {
    Act order = act_of(action, again);
    // Of a mailbox, the messages to take out are all that the runner goes by.
    if (order.action == Action::CleanseMailbox) order.action = Action::Quarantine;
    order.in_mail = is_in_mail(action.path);
    return order;
}

// Below the directory that is scanned as mail.
bool DisinfectionJob::is_in_mail(const std::string& path) const {
    const auto& mail = context_.config.scan_of(ScanType::Mail).directory;
    return !mail.empty() && is_below(path, path_in(account().home, mail));
}

ScanFile DisinfectionJob::scan_of(const PlannedAction& action) const {
    return {action.number, action.path, automatic_, is_in_mail(action.path)};
}

void DisinfectionJob::request_scan(Stage stage) {
    stage_ = stage;
    opened_ = false;
    result_.reset();
    if (stage == Stage::RescanningMoved)
        to_runner_.add(ScanMoved{current_->number, current_->path, current_->opaque});
    else
        to_runner_.add(scan_of(*current_));
}

// The runner's Opened and the coordinator's result arrive on two sockets, in either order.
void DisinfectionJob::settle_scan() {
    if (!opened_ || !result_) return;
    if (stage_ == Stage::Rescanning) return settle_result();
    if (stage_ == Stage::RescanningRest) return settle_rest();
    settle_moved();
}

void DisinfectionJob::settle_result() {
    switch (judge(*current_, *result_, {is_mailbox_, may_hold_mail_})) {
        case Judgement::Settled:
            return proceed();
        case Judgement::IsMailbox:
            attempts_ = 1;
            return scan_messages();
        case Judgement::ToBeActedOn:
            // Committed before the runner gets the order: packets are sent only after the commit.
            context_.ledger.records().intend(task().id, *current_);
            return act(false);
    }
}

DisinfectionJob::Judgement DisinfectionJob::judge(PlannedAction& action, const ScanResult& result, Mail mail) {
    if (result.verdict == Verdict::Clean) {
        context_.ledger.finds().leave_list(task().account, action.path);
        step(action, RecordState::NoAction, "no longer infected, so it was left alone");
        return Judgement::Settled;
    }
    if (result.verdict == Verdict::Unscanned) {
        step(action, RecordState::Error,
             std::string("it could not be scanned again, so it was left alone: ") + text_of(result.reason));
        return Judgement::Settled;
    }
    if (confirm_adopted(action, result, mail.is_mailbox)) {
        step(action, RecordState::Quarantined, already_there);
        return Judgement::Settled;
    }
    if (automatic_ && !may_act_by_itself(action, result, mail)) return Judgement::Settled;
    if (mail.is_mailbox) return Judgement::IsMailbox;
    if (action.action == Action::CleanseMailbox) {
        step(action, RecordState::Error, not_a_mailbox);
        return Judgement::Settled;
    }
    return judge_infected(action, result);
}

// Nobody asked for it, so what is not certain any more is left to the owner, and what the owner has ignored since, too.
// Null if it is to be quarantined.
const char* DisinfectionJob::why_left(const FoundContent& found) {
    if (!covers(context_.config.automatic_quarantine, found.virus))
        return "what finds it now is not put into quarantine by itself, so it was left to its owner";
    if (!why_held(found.virus).empty())
        return "too many files are found by the same signature, so it was left to its owner";
    const bool is_ignored = context_.ledger.ignored().row_for(task().account, account().home, found).has_value();
    return is_ignored ? "it is ignored, so it was left alone" : nullptr;
}

bool DisinfectionJob::may_act_by_itself(const PlannedAction& action, const ScanResult& result, Mail mail) {
    const char* why = why_left({action.path, result.virus, result.sha256});
    if (why == nullptr && mail.may_hold_mail && !mail.is_mailbox)
        why = "it may hold more than one mail message, so it was left to its owner";
    if (why != nullptr) step(action, RecordState::NoAction, why);
    return why == nullptr;
}

// The owner asked to delete the content that the scan found. Other infected content might be anything, so it is
// quarantined.
DisinfectionJob::Judgement DisinfectionJob::judge_infected(PlannedAction& action, const ScanResult& result) {
    const auto found = context_.ledger.finds().found_sha256(task().account, action.path);
    if (found.empty() && action.action == Action::Delete) {
        action.remark = not_known_since;
        action.action = Action::Quarantine;
    } else if (result.sha256 != found && !found.empty()) {
        action.remark = action.action == Action::Delete ? quarantined_instead : changed_since;
        action.action = Action::Quarantine;
    }
    // Asked for a quarantine, too: what is held does not expire there.
    const auto& held = why_held(result.virus);
    if (action.action == Action::Delete && !held.empty()) {
        step(action, RecordState::Error, held);
        return Judgement::Settled;
    }
    adopt_result(action, result);
    action.opaque = random_hex(16);
    return Judgement::ToBeActedOn;
}

void DisinfectionJob::adopt_result(PlannedAction& action, const ScanResult& result) {
    action.identity = result.identity;
    action.sha256 = result.sha256;
    action.virus = result.virus;
}

// ---- What was adopted -----------------------------------------------------------------------------------------------

// The name in the quarantine of what is acted on; "" if it lies elsewhere.
std::string DisinfectionJob::name_in_quarantine(const PlannedAction& action) const {
    const auto directory = path_in(account().home, quarantine_directory);
    return is_below(action.path, directory) ? action.path.substr(directory.size() + 1) : std::string();
}

// It needs not be moved to be quarantined: now it is known that its content is infected, and what its record said.
bool DisinfectionJob::confirm_adopted(PlannedAction& action, const ScanResult& result, bool is_mailbox) {
    const auto name = name_in_quarantine(action);
    const bool stays = action.action == Action::Quarantine || is_mailbox;
    if (name.empty() || !stays || action.metadata.mode != quarantined_mode) return false;
    adopt_result(action, result);
    if (!context_.ledger.quarantine().confirm(task().account, name, action)) return false;
    context_.ledger.finds().leave_list(task().account, action.path);
    return true;
}

// Put into the list under its new name. If it was adopted, it goes back where its record says, not into the quarantine.
void DisinfectionJob::list_quarantined(const PlannedAction& action, const Acted& acted) {
    auto& quarantine = context_.ledger.quarantine();
    auto listed = action;
    if (const auto adopted = quarantine.find_adopted(task().account, name_in_quarantine(action))) {
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
    adopt_difference(*current_, acted);
    request_scan(Stage::RescanningMoved);
}

void DisinfectionJob::adopt_difference(PlannedAction& action, const Acted& acted) {
    if (action.action == Action::Delete)
        action.remark = quarantined_instead;
    else if (action.remark.empty() || action.moved > Moved::Changed)
        action.remark = changed_since;
    action.action = Action::Quarantine;
    // Only the first time: later the file has the mode that we gave it.
    if (action.moved == Moved::AsScanned) action.metadata = acted.metadata;
    action.moved = Moved::Changed;
    context_.ledger.records().intend(task().id, action);
}

void DisinfectionJob::settle_moved() {
    const bool clean = result_->verdict == Verdict::Clean && !result_->sha256.empty();
    const bool infected = result_->verdict == Verdict::Infected;
    const bool left = infected && automatic_ && why_left({current_->path, result_->virus, result_->sha256}) != nullptr;
    if (infected && !left) {
        adopt_result(*current_, *result_);
        context_.ledger.records().intend(task().id, *current_);
        act(true);
        return;
    }
    current_->moved = clean ? Moved::PutBackClean : Moved::PutBackUnscanned;
    current_->identity = result_->identity;
    current_->sha256 = result_->sha256;
    current_->remark = clean  ? "it was changed meanwhile, and what it is now is not infected"
                       : left ? "it was changed meanwhile, and what it is now is not put into quarantine by itself"
                              : "it was changed meanwhile, and what it is now could not be scanned";
    context_.ledger.records().intend(task().id, *current_);
    put_back();
}

void DisinfectionJob::put_back() {
    stage_ = Stage::Acting;
    Act back = order_for(*current_, true);
    back.put_back = true;
    to_runner_.add(std::move(back));
}

void DisinfectionJob::settle_put_back(const Acted& acted) {
    auto& ledger = context_.ledger;
    const bool clean = current_->moved == Moved::PutBackClean;
    if (acted.state == RecordState::Quarantined) {
        keep_unscanned(acted.device, acted.inode);
        if (clean) ledger.quarantine().set_clean(task().account, current_->opaque, true);
        step(*current_, RecordState::Quarantined, current_->remark + "; " + acted.message);
    } else if (acted.state == RecordState::NoAction) {
        if (clean) ledger.finds().leave_list(task().account, current_->path);
        step(*current_, clean ? RecordState::NoAction : RecordState::Error, current_->remark + "; it was put back");
    } else {
        step(*current_, RecordState::Error, current_->remark + "; " + acted.message);
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
    context_.ledger.finds().leave_list(task().account, current_->path);
    step(*current_, RecordState::Quarantined,
         "a program keeps rewriting it, even where it is now, so its content is unknown");
    proceed();
}

// ---- A mailbox ------------------------------------------------------------------------------------------------------

// Never moved or deleted as a whole: one infected message is no reason to take away all mail.
void DisinfectionJob::scan_messages() {
    adopt_result(*current_, *result_);
    current_->cuts.clear();
    mailbox_.begin_scan();
    stage_ = Stage::ScanningMessages;
    to_runner_.add(ScanMailbox{current_->number, current_->path});
}

void DisinfectionJob::settle_messages() {
    if (!mailbox_.is_scanned()) return;
    current_->cuts = mailbox_.take_cuts();
    if (automatic_)
        std::erase_if(current_->cuts, [this](const CutMail& cut) {
            return why_left({current_->path, cut.virus, cut.sha256}) != nullptr;
        });
    if (current_->cuts.empty() && automatic_) {
        step(*current_, RecordState::NoAction,
             "no message alone is infected by what is put into quarantine by itself, so it was left to its owner");
        proceed();
        return;
    }
    if (current_->cuts.empty()) {
        step(*current_, RecordState::Error,
             "the mailbox as a whole is reported as infected (" + current_->virus +
                 "), but none of its messages is; it was left alone");
        proceed();
        return;
    }
    current_->opaque = random_hex(16);
    context_.ledger.records().intend(task().id, *current_);
    act(false);
}

void DisinfectionJob::settle_rest() {
    if (!mailbox_.has_saved()) return settle_untouched();
    auto& ledger = context_.ledger;
    mailbox_.list_saved(ledger.quarantine(), task().account, *current_);
    if (result_->verdict == Verdict::Clean) ledger.finds().leave_list(task().account, current_->path);
    step(*current_, RecordState::MailboxCleansed, mailbox_.summary(*result_));
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
        context_.ledger.finds().leave_list(task().account, current_->path);
        step(*current_, RecordState::NoAction,
             "the infected messages are not in the mailbox any more, so it was left alone");
    } else if (result_->verdict == Verdict::Unscanned) {
        step(*current_, RecordState::Error,
             std::string("it could not be scanned again, so it was left alone: ") + text_of(result_->reason));
    } else {
        step(*current_, RecordState::Error,
             "the mailbox kept changing between the scan of its messages and the action; it was left alone");
    }
    proceed();
}

// ---- Held signatures and finished actions ---------------------------------------------------------------------------

// Asked once per signature: finding the answer takes as long as the list of finds is.
const std::string& DisinfectionJob::why_held(const std::string& signature) {
    if (!deletions_held_.empty()) return deletions_held_;
    const auto [known, fresh] = held_.try_emplace(signature);
    if (!fresh) return known->second;
    auto& why = known->second = Brake(context_.ledger, context_.config).why_held(task().account, signature);
    if (!why.empty())
        why += ". The file was left alone. Put it into quarantine, which can be undone, or " +
               Brake::how_to_allow(signature);
    return why;
}

void DisinfectionJob::settle_current(const Acted& acted) {
    if (acted.content_differs) return rescan_moved(acted);
    if (current_->moved > Moved::Changed) return settle_put_back(acted);
    // What is left of the mailbox is scanned, too.
    if (acted.state == RecordState::MailboxCleansed) return request_scan(Stage::RescanningRest);
    settle_acted(*current_, acted);
    proceed();
}

void DisinfectionJob::settle_acted(const PlannedAction& action, const Acted& acted) {
    auto& ledger = context_.ledger;
    if (acted.state == RecordState::Quarantined) list_quarantined(action, acted);
    if (acted.state != RecordState::Error) {
        ledger.finds().leave_list(task().account, action.path);
        ledger.quarantine().forget_adopted(task().account, name_in_quarantine(action));
    }
    std::string text = acted.state == RecordState::Quarantined ? action.remark : std::string();
    if (!acted.message.empty()) text += (text.empty() ? "" : "; ") + acted.message;
    step(action, acted.state, text);
}

bool DisinfectionJob::is_expected(const PlannedAction& action, RecordState state) {
    if (state == RecordState::Error) return true;
    if (action.moved > Moved::Changed) return state == RecordState::NoAction || state == RecordState::Quarantined;
    if (!action.cuts.empty()) return state == RecordState::MailboxCleansed;
    // The runner quarantines instead of deleting what may hold more than one mail message.
    return state == RecordState::Quarantined || (state == RecordState::Deleted && action.action == Action::Delete);
}

void DisinfectionJob::check_expected(const PlannedAction& action, const Acted& acted) {
    if (!is_expected(action, acted.state)) throw Malformed("the runner did something that it was not asked to do");
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
    if (stage_ == Stage::Together) {
        auto& plain = this->plain(opened.token, Plain::Stage::Judging);
        plain.opened = true;
        plain.is_mailbox = opened.mailbox;
        plain.may_hold_mail = opened.may_hold_mail;
        plain.action.metadata = std::move(opened.metadata);
        return judge_plain(plain);
    }
    expect(opened.token, {Stage::Rescanning, Stage::RescanningRest, Stage::RescanningMoved});
    opened_ = true;
    is_mailbox_ = opened.mailbox;
    may_hold_mail_ = opened.may_hold_mail;
    if (stage_ == Stage::Rescanning) current_->metadata = std::move(opened.metadata);
    settle_scan();
}

void DisinfectionJob::take_not_opened(const NotOpened& refused) {
    if (stage_ == Stage::Together) {
        step(plain(refused.token, Plain::Stage::Judging).action, RecordState::Error,
             refused.why + "; it was left alone");
        return leave(refused.token);
    }
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
        context_.ledger.finds().leave_list(task().account, current_->path);
        step(*current_, RecordState::Quarantined,
             "it was changed meanwhile, and what it is now could not be opened to be scanned; it is kept");
    } else {
        step(*current_, RecordState::Error,
             refused.why + (stage_ == Stage::RescanningMoved ? "" : "; it was left alone"));
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
    if (stage_ == Stage::Together) return settle_plain(plain(acted.token, Plain::Stage::Acting), acted);
    expect(acted.token, {Stage::Acting});
    check_expected(*current_, acted);
    settle_current(acted);
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
    if (stage_ == Stage::Together) {
        auto& plain = this->plain(result.token, Plain::Stage::Judging);
        plain.result = std::move(result);
        return judge_plain(plain);
    }
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
        if (done.whole) ledger.tasks().mark_log_whole(task().id);
        to_runner_.add(Finish{});
        finish(End::Over, "");
        return;
    }
    if (!done.whole)
        ledger.records().record_issue(task().id, RecordState::Warning,
                                      "the log in the home is incomplete (" + done.problem +
                                          "); it will be written when that is possible, and no record is lost");
    close();
}

void DisinfectionJob::close() {
    auto& ledger = context_.ledger;
    const auto counts = ledger.records().step_counts(task().id);
    ledger.records().record_done(task().id, end_state(counts), summary_of(counts), Outcome::Completed);
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
    if (done.whole) context_.ledger.tasks().mark_log_whole(task().id);
    finish(done.whole ? End::Over : End::Postponed, done.problem);
}

}  // namespace clamscanner
