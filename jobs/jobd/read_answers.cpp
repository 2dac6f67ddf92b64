#include "jobs/jobd/read_answers.h"

#include <algorithm>

#include "auth/base/log.h"
#include "jobs/jobd/disinfection_job.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/jobd/schedule_book.h"
#include "jobs/jobd/unreached_files.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto signatures_check_interval = 10s;

std::string files(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " file was" : " files were");
}

}  // namespace

ReadAnswers::ReadAnswers(const Settings& config, LedgerTables& ledger, Dispatcher& dispatcher,
                         const std::set<uid_t>& host_users)
    : config_(config), ledger_(ledger), dispatcher_(dispatcher), history_(ledger, config), host_users_(host_users) {}

std::optional<Encoded> ReadAnswers::answer(const AccountFacts& facts, const std::string& question) {
    using Row = Handler<ReadAnswers, Encoded, const AccountFacts&>;
    static constexpr Row table[] = {
        handles<&ReadAnswers::scan_status>,       handles<&ReadAnswers::infected_files>,
        handles<&ReadAnswers::unscanned_files>,   handles<&ReadAnswers::dry_run>,
        handles<&ReadAnswers::disinfection>,      handles<&ReadAnswers::quarantined_files>,
        handles<&ReadAnswers::quarantine_change>, handles<&ReadAnswers::statistics>,
        handles<&ReadAnswers::scan_tasks>,        handles<&ReadAnswers::scan_events>,
        handles<&ReadAnswers::history>,           handles<&ReadAnswers::ignored_files>,
        handles<&ReadAnswers::schedule>,          handles<&ReadAnswers::notifications>,
        handles<&ReadAnswers::found_hash>,
    };
    if (!has_row(table, question)) return std::nullopt;
    return answer_or_decline([&] { return dispatch(table, *this, question, facts); });
}

// ---- Scans ---------------------------------------------------------------------------------------------------------

bool ReadAnswers::only_embedded_signatures() {
    const auto now = Clock::now();
    if (now - signatures_checked_ > signatures_check_interval) {
        const auto& directory = config_.paths.signature_directory;
        // Whether what we may not read holds one, the engine tells: it may be allowed to.
        embedded_only_ = listing_of(directory).problem.empty() && !holds_signatures(directory);
        signatures_checked_ = now;
    }
    return embedded_only_;
}

std::vector<std::string> ReadAnswers::scan_warnings(const std::optional<Task>& task) {
    std::vector<std::string> warnings;
    const bool embedded_only =
        task && task->state == TaskState::Ended ? task->embedded_signatures : only_embedded_signatures();
    const std::string problem = task ? task->signature_problem : std::string();
    if (task && task->embedded_signatures && !problem.empty())
        warnings.push_back("Only the built-in test signatures are known, so real viruses are not found (" +
                           printable(problem) + "). Ask your administrator to mend that.");
    else if (embedded_only)
        warnings.emplace_back(
            "No virus signature database is installed: only the built-in test signatures are known, so real viruses "
            "are "
            "not found. Ask your administrator to install ClamAV's database.");
    if (!task) return warnings;
    if (!task->embedded_signatures && !problem.empty())
        warnings.push_back("Signatures could not be loaded: " + printable(problem) + ".");
    if (task->state == TaskState::Ended && task->outcome == Outcome::EndedEarly) {
        warnings.push_back("The scan ended early (" + printable(task->why) +
                           "): what it had not reached was not scanned.");
    } else if (task->outcome == Outcome::Cancelled) {
        warnings.emplace_back("The scan was cancelled: what it had not reached was not scanned.");
    } else if (task->state != TaskState::Ended && task->outcome == Outcome::None && !task->why.empty()) {
        warnings.push_back("The scan waits: " + task->why + ".");
    }
    for (const auto& [reason, count] : ledger_.tasks().unscanned_counts(task->id))
        warnings.push_back(files(count) + " not scanned: " + text_of(reason) + ".");
    for (auto& warning : warnings) warning.resize(std::min(warning.size(), longest_message));
    return warnings;
}

// The owner did not ask for it, so it is told together with what was found.
void ReadAnswers::add_automatic_quarantine(TaskId scan, std::vector<std::string>& messages) {
    const auto known = ledger_.automatic().of_scan(scan);
    if (!known) return;
    const auto done = known->disinfection ? ledger_.history().of_task(*known->disinfection) : std::nullopt;
    if (known->waits || (done && done->phase < TaskPhase::Completed)) {
        messages.emplace_back(
            "What was found is being put into quarantine, as far as your administrator has it done by itself.");
        return;
    }
    std::uint64_t quarantined = 0;
    for (const auto& step : done ? done->steps : std::vector<HistoryEntry::Steps>())
        if (step.state == RecordState::Quarantined || step.state == RecordState::MailboxCleansed)
            quarantined += step.files;
    if (quarantined > 0)
        messages.push_back(files(quarantined) +
                           " put into quarantine by the server itself, as your administrator has it. list_history and "
                           "the log say more, and restore_quarantined_files undoes it.");
}

ScanStatus ReadAnswers::scan_status(const AskScanStatus&, const AccountFacts& facts) {
    const auto task = ledger_.tasks().last(ledger_.tasks().account_of(facts), TaskKind::Scan);
    ScanStatus status;
    status.warnings = scan_warnings(task);
    if (!task) {
        status.messages.emplace_back("No scan has been started yet.");
        return status;
    }
    status.ever_started = true;
    status.complete = task->state == TaskState::Ended;
    status.time_started = task->created_ms / 1000;
    status.total_files = task->total_files;
    status.total_bytes = task->total_bytes;
    // After an early end there is nothing left to wait for: what was not reached counts as not scanned.
    status.scanned_files = status.complete ? task->total_files : std::min(task->scanned_files, task->total_files);
    status.scanned_bytes = task->scanned_bytes;
    if (task->outcome == Outcome::Completed) {
        const auto known = task->known_files + task->known_infected;
        status.messages.push_back(
            std::to_string(task->total_files - known) + " scanned, " + std::to_string(task->known_files) +
            " known clean" +
            (task->known_infected > 0 ? ", " + std::to_string(task->known_infected) + " known to be infected" : "") +
            " (what is known was scanned before, has not changed since, and was not read again).");
    }
    if (task->ignored_files > 0)
        status.messages.push_back(std::to_string(task->ignored_files) +
                                  (task->ignored_files == 1 ? " file is" : " files are") +
                                  " infected and ignored, as the account's owner or the administrator asked: "
                                  "list_ignored_files tells which.");
    if (const auto clean = ledger_.quarantine().count_clean(task->account); clean > 0)
        status.messages.push_back(std::to_string(clean) +
                                  (clean == 1 ? " file in quarantine is" : " files in quarantine are") +
                                  " clean by today's signatures and can be restored.");
    add_automatic_quarantine(task->id, status.messages);
    if (!status.complete) {
        status.place = dispatcher_.place_of(task->id);
        status.current_file = dispatcher_.current_file(task->id);
    }
    if (task->infected_files > 0) status.infected = infected_files_of(task->id, 0, true);
    return status;
}

InfectedFiles ReadAnswers::infected_files(const AskInfectedFiles& asked, const AccountFacts& facts) {
    const auto task = ledger_.tasks().last(ledger_.tasks().account_of(facts), TaskKind::Scan);
    return task ? infected_files_of(task->id, asked.after, asked.with_gone) : InfectedFiles();
}

InfectedFiles ReadAnswers::infected_files_of(TaskId scan, std::uint64_t after, bool with_gone) {
    auto listed =
        ledger_.finds().infected_files(scan, static_cast<std::int64_t>(after & INT64_MAX), piece_budget, with_gone);
    return {std::move(listed.files), static_cast<std::uint64_t>(scan), static_cast<std::uint64_t>(listed.next)};
}

namespace {

// This `after` means files that an unfinished scan did not reach, by their place in the list of the walk.
constexpr std::uint64_t unreached = 1ULL << 62;

}  // namespace

UnscannedFiles ReadAnswers::unscanned_files(const AskUnscannedFiles& asked, const AccountFacts& facts) {
    UnscannedFiles unscanned;
    const auto task = ledger_.tasks().last(ledger_.tasks().account_of(facts), TaskKind::Scan);
    if (!task) return unscanned;
    unscanned.scan = static_cast<std::uint64_t>(task->id);
    const bool has_unreached =
        task->state == TaskState::Ended && task->outcome != Outcome::Completed && task->list_bytes > 0;
    if (asked.after < unreached) {
        auto found = ledger_.finds().unscanned_files(task->id, static_cast<std::int64_t>(asked.after), piece_budget);
        unscanned.files = std::move(found.files);
        unscanned.next = static_cast<std::uint64_t>(found.next);
        if (unscanned.next == 0 && has_unreached) unscanned.next = unreached;
    } else if (has_unreached) {
        unscanned.place = asked.place;
        if (add_unreached(config_, ledger_, *task, facts.home, unscanned.place, unscanned)) unscanned.next = unreached;
    }
    return unscanned;
}

ScheduleStatus ReadAnswers::schedule(const AskSchedule&, const AccountFacts& facts) {
    return ScheduleBook(ledger_, config_).status(ledger_.tasks().account_of(facts));
}

// ---- Disinfections -------------------------------------------------------------------------------------------------

namespace {

// Only the runner looks into files, so it is not known here which of them is a mailbox.
constexpr const char* only_a_mailbox = ", and a mailbox of many messages in one file; anything else is an error";

RecordState planned_state(Action action) {
    if (action == Action::CleanseMailbox) return RecordState::MailboxCleansed;
    return action == Action::Delete ? RecordState::Deleted : RecordState::Quarantined;
}

}  // namespace

DryRun ReadAnswers::dry_run(AskDryRun asked, const AccountFacts& facts) {
    DryRun answer;
    for (auto& action : plan(ledger_, facts, std::move(asked.actions))) {
        Record step{action.number, RecordType::Step, RecordState::Error, std::move(action.path), ""};
        if (!action.listed) {
            step.message = not_listed_text;
        } else if (action.action == Action::Ignore) {
            step.state = RecordState::NoAction;
            step.message = ignored_text;
        } else {
            step.state = planned_state(action.action);
            step.message = "if it is still infected when it is scanned again";
            if (action.action == Action::CleanseMailbox) step.message += only_a_mailbox;
        }
        answer.steps.push_back(std::move(step));
    }
    return answer;
}

FoundHash ReadAnswers::found_hash(const AskFoundHash& asked, const AccountFacts& facts) {
    return {ledger_.finds().found_sha256(ledger_.tasks().account_of(facts), asked.path)};
}

DisinfectionStatus ReadAnswers::disinfection(const AskDisinfection& asked, const AccountFacts& facts) {
    DisinfectionStatus status;
    status.log = log_path(facts);
    const auto task = ledger_.tasks().last(ledger_.tasks().account_of(facts), TaskKind::Disinfection);
    if (!task) return status;
    // A number that this log has not reached belongs to an earlier log, so the client gets all of this one.
    const std::uint64_t after = asked.last_id > task->last_record ? 0 : asked.last_id;
    auto found = ledger_.records().records_after(task->id, after, piece_budget, most_entries);
    status.task = static_cast<std::uint64_t>(task->id);
    status.records = std::move(found.records);
    status.more = found.cut;
    if (task->state == TaskState::Ended)
        status.state = found.cut ? DisinfectionState::Running : DisinfectionState::Done;
    else
        status.state = task->state == TaskState::Running || task->last_record > 0 ? DisinfectionState::Running
                                                                                  : DisinfectionState::Queued;
    if (task->state != TaskState::Ended) status.place = dispatcher_.place_of(task->id);
    if (task->state != TaskState::Ended && !task->why.empty())
        status.warnings.push_back(("The disinfection waits: " + task->why + ".").substr(0, longest_message));
    return status;
}

// ---- What is ignored -----------------------------------------------------------------------------------------------

Ignored ReadAnswers::ignored_files(const AskIgnored& asked, const AccountFacts& facts) {
    const auto account = ledger_.tasks().account_of(facts);
    const auto scan = ledger_.tasks().last(account, TaskKind::Scan);
    return ledger_.finds().ignored_files(account, scan ? scan->id : 0, asked.after, piece_budget);
}

// ---- Notices -------------------------------------------------------------------------------------------------------

Notifications ReadAnswers::notifications(const AskNotifications&, const AccountFacts& facts) {
    return ledger_.outbox().settings_of(ledger_.tasks().account_of(facts));
}

// ---- The quarantine ------------------------------------------------------------------------------------------------

QuarantinedFiles ReadAnswers::quarantined_files(const AskQuarantinedFiles& asked, const AccountFacts& facts) {
    auto found = ledger_.quarantine().listed(ledger_.tasks().account_of(facts),
                                             static_cast<std::int64_t>(asked.after & INT64_MAX), piece_budget);
    return {std::move(found.files), static_cast<std::uint64_t>(found.next)};
}

QuarantineChange ReadAnswers::quarantine_change(const AskQuarantineChange& asked, const AccountFacts& facts) {
    const auto task = ledger_.tasks().last(ledger_.tasks().account_of(facts), TaskKind::Restoration);
    // A later request of the same account may have replaced this task; then this one is over.
    if (!task || static_cast<std::uint64_t>(task->id) != asked.task) return {true, {}, 0};
    auto changed =
        ledger_.records().changed_files(task->id, static_cast<std::int64_t>(asked.after & INT64_MAX), piece_budget);
    return {task->state == TaskState::Ended, std::move(changed.files), static_cast<std::uint64_t>(changed.next)};
}

// ---- The account's own trail ---------------------------------------------------------------------------------------

History ReadAnswers::history(const AskHistory& asked, const AccountFacts& facts) {
    return ledger_.history().of_account(ledger_.tasks().account_of(facts), asked.after);
}

// ---- Statistics ----------------------------------------------------------------------------------------------------

ScanHistory::Scope ReadAnswers::scope_of(const AccountFacts& facts) {
    if (host_users_.contains(facts.uid)) return {true, 0};
    return {false, ledger_.tasks().account_of(facts)};
}

ScanStatistics ReadAnswers::statistics(const AskStatistics&, const AccountFacts& facts) {
    return history_.statistics(scope_of(facts));
}

ScanTasks ReadAnswers::scan_tasks(const AskScanTasks& asked, const AccountFacts& facts) {
    return history_.tasks(scope_of(facts), asked.filter, asked.offset, std::min(asked.limit, longest_page));
}

ScanEvents ReadAnswers::scan_events(const AskScanEvents& asked, const AccountFacts& facts) {
    return history_.events(scope_of(facts), asked.offset, std::min(asked.limit, longest_page), longest_jobs_answer / 2);
}

}  // namespace clamscanner
