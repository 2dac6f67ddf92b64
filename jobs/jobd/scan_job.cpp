#include "jobs/jobd/scan_job.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "auth/base/checked.h"
#include "auth/base/figures.h"
#include "auth/base/log.h"
#include "auth/base/sha256.h"
#include "jobs/jobd/brake.h"
#include "jobs/jobd/restoration_job.h"
#include "jobs/jobd/unreached_files.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/mail_name.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

namespace {

// How many expired files the runner may have yet to delete at the end of one scan.
constexpr std::size_t expired_at_once = 10'000;
// How many files of the quarantine go to the runner before others are served.
constexpr std::size_t quarantined_at_once = 64;
constexpr std::size_t sha256_length = 64;

}  // namespace

ScanJob::ScanJob(const JobContext& context, AccountTask task)
    : Job(context, std::move(task)),
      log_(LogFile::Scan, [this](std::uint64_t after, std::size_t limit) { return log_lines(after, limit); }) {}

// What an interrupted walk leaves is no list.
ScanJob::~ScanJob() {
    if (start_ > 0 && !walked_) ::unlink(list_name(context_.config, task().id, start_).c_str());
}

void ScanJob::begin() {
    auto& ledger = context_.ledger;
    ledger.tasks().begin(task().id);
    start_ = task().starts + 1;
    scan_before_ = ledger.tasks().before(task());
    if (scan_before_) ::unlink(list_name(context_.config, ledger.tasks().get(*scan_before_)).c_str());
    std::vector<UniqueFd> coordinator;
    coordinator.push_back(take_coordinator_for_runner());
    to_runner_.add(UseCoordinator{}, std::move(coordinator));
    list_ = open_list();
}

// One piece in a round: there may be a million files in the quarantine, or to be forgotten.
void ScanJob::feed_runner() {
    if (!to_runner_.empty()) return;
    switch (feeding_) {
        case Feeding::Preparing:
            return prepare();
        case Feeding::Quarantined:
            return scan_quarantined();
        case Feeding::Scan:
            return;
        case Feeding::Expired:
            return discard_expired();
        case Feeding::Log:
            log_.feed(to_runner_);
    }
}

void ScanJob::prepare() {
    context_.loop.request_another_round();
    auto& finds = context_.ledger.finds();
    // A list that is kept is that of an earlier start.
    if (walked_ && (finds.forget_unsettled(task().id) || finds.forget_earlier(task().id, walk_start_))) return;
    feeding_ = Feeding::Quarantined;
}

void ScanJob::run_scan() {
    feeding_ = Feeding::Scan;
    to_runner_.add(
        AdoptQuarantined{context_.config.engine.max_file_bytes, context_.config.scan_of(ScanType::Mail).directory});
    std::vector<UniqueFd> list;
    list.push_back(std::move(list_));
    const auto& directory = context_.config.scan_of(task().scan_type).directory;
    to_runner_.add(RunScan{directory, walked_, before_.files, is_first_start()}, std::move(list));
}

// The cache belongs to the account as it is now: a later owner of the uid gets an empty one.
NewJob ScanJob::new_job() const {
    const auto& facts = account();
    return {sha256_hex(facts.name + '\0' + facts.home + '\0' + std::to_string(facts.uid) + ' ' +
                       std::to_string(facts.file_system) + ' ' + std::to_string(facts.inode) + ' ' +
                       std::to_string(facts.born_ns)),
            task().full, 0, is_first_start()};
}

// The list of an earlier start if it is complete, else an empty file. An earlier list is kept until the walk has ended:
// it says which files were not reached, should the scan end before.
UniqueFd ScanJob::open_list() {
    auto& ledger = context_.ledger;
    std::filesystem::create_directory(list_directory(context_.config));
    const Task known = ledger.tasks().get(task().id);
    // After a start that made no progress the list is not trusted again.
    UniqueFd kept = known.attempts == 0 ? open_kept_list(context_.config, known, O_RDWR) : UniqueFd();
    if (kept) {
        before_ = known.settled;
        walk_unreadable_ = known.walk_unreadable;
        walk_start_ = known.walk_start;
        walked_ = true;
        return kept;
    }
    walk_start_ = start_;
    const auto name = list_name(context_.config, task().id, start_);
    // Each start has a file of its own: an earlier runner that is still alive may write into the earlier one.
    ::unlink(name.c_str());
    return UniqueFd(checked(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), "make a list of files"));
}

bool ScanJob::waits_for_runner() const {
    // While signatures load, the runner is not to blame: it cannot hand over listed or quarantined files yet.
    if (feeding_ < Feeding::Scan || (!scanner_ready_ && (walked_ || last_quarantined_ > 0))) return false;
    return !walked_ || coordinator_waits_ || (scan_completed_ && !completed_) || completed_;
}

void ScanJob::save_progress() {
    auto& ledger = context_.ledger;
    ledger.tasks().save_progress(task().id, walk_unreadable_ + before_.files + progress_.scanned_files,
                                 sum_of_bytes(before_.bytes, progress_.scanned_bytes),
                                 before_.clean_files + progress_.clean_files);
    if (!walked_) return;  // what is settled is of an earlier start's list
    const auto& now = progress_.settled;
    ledger.tasks().settle(task().id, {before_.files + now.files, sum_of_bytes(before_.bytes, now.bytes),
                                      before_.clean_files + now.clean_files, before_.known_files + now.known_files});
}

// ---- From the runner -----------------------------------------------------------------------------------------------

void ScanJob::receive_from_runner(Packet& packet) {
    static constexpr Handler<ScanJob, void> table[] = {
        handles<&ScanJob::take_walk_progress>, handles<&ScanJob::take_unreadable>, handles<&ScanJob::take_handed_over>,
        handles<&ScanJob::take_walk_failed>,   handles<&ScanJob::take_opened>,     handles<&ScanJob::take_not_opened>,
        handles<&ScanJob::take_acted>,         handles<&ScanJob::take_copy_done>,  handles<&ScanJob::take_adopted>,
    };
    dispatch(table, *this, packet.bytes);
}

void ScanJob::take_walk_progress(const WalkProgress& walk) {
    if (walked_) throw Malformed("the runner reports more of its walk after its end");
    auto& ledger = context_.ledger;
    walked_ = walk.walked;
    ledger.tasks().save_totals(task().id, walk.files, walk.bytes, walked_);
    if (!walked_) return;
    const auto earlier = ledger.tasks().get(task().id);
    if (earlier.list_bytes > 0) ::unlink(list_name(context_.config, earlier).c_str());
    ledger.finds().begin_list(task().id, start_, embedded_only_);
    ledger.tasks().keep_list(task().id, walk.list_bytes, walk_unreadable_);
    // If the coordinator is gone, that shows when its socket is read; and only NewJob was sent to it, so it has room.
    if (is_first_start()) static_cast<void>(send_to_coordinator(Listed{}));
    forget_earlier();
}

// Beside the scan, which is not complete before.
void ScanJob::forget_earlier() {
    forgetting_ = true;
    in_pieces([this] {
        if (context_.ledger.finds().forget_earlier(task().id, walk_start_)) return true;
        forgetting_ = false;
        complete_if_agreed();
        return false;
    });
}

void ScanJob::take_unreadable(const Unreadable& file) {
    if (walked_) throw Malformed("the runner reports more of its walk after its end");
    ++walk_unreadable_;
    context_.ledger.finds().add_unscanned(task().id, start_, file.path, file.reason, std::nullopt);
    save_progress();
}

void ScanJob::take_handed_over(const HandedOver& handed_over) {
    handed_over_ = handed_over;
    complete_if_agreed();
}

void ScanJob::take_walk_failed(const WalkFailed& failed) {
    context_.ledger.tasks().set_outcome(task().id, Outcome::EndedEarly, failed.why);
    finish(End::Over, "");
}

// The file is no longer in the quarantine as recorded, so it is not known to be clean.
void ScanJob::take_not_opened(const NotOpened& refused) {
    const auto opaque = quarantined(refused.token);
    context_.ledger.quarantine().set_clean(task().account, opaque, false);
    context_.ledger.quarantine().forget_adopted(task().account, opaque);
}

// All of it is the word of the account's owner: it decides what can be restored and where to, below the home, and hides
// nothing from a scan.
void ScanJob::take_adopted(Adopted adopted) {
    if (++adopted_ > most_adopted || !is_opaque_name(adopted.opaque) || adopted.sha256.size() != sha256_length ||
        !is_below(adopted.path, account().home) || adopted.path.ends_with('/'))
        throw Malformed("the runner adopts what cannot be in the quarantine");
    PlannedAction file;
    file.opaque = std::move(adopted.opaque);
    file.path = std::move(adopted.path);
    file.virus = std::move(adopted.virus);
    file.sha256 = std::move(adopted.sha256);
    file.identity = adopted.identity;
    file.metadata = std::move(adopted.metadata);
    context_.ledger.quarantine().adopt(task().account, file, file.identity.device, file.identity.inode,
                                       adopted.may_hold_mail);
}

void ScanJob::take_acted(const Acted& acted) {
    if (expired_.erase(acted.token) == 0) throw Malformed("the runner reports an action that was not ordered");
    auto& quarantine = context_.ledger.quarantine();
    const auto opaque = quarantine.name_of(task().account, static_cast<std::int64_t>(acted.token));
    if (acted.state != RecordState::Error && opaque) quarantine.forget(task().account, *opaque);
}

void ScanJob::take_copy_done(const CopyDone&) {
    log_.answered();
    finish(End::Over, "");
}

// ---- From the coordinator ------------------------------------------------------------------------------------------

void ScanJob::receive_from_coordinator(Packet& packet) {
    static constexpr Handler<ScanJob, void> table[] = {
        handles<&ScanJob::take_scanner_ready>,  handles<&ScanJob::take_progress>,
        handles<&ScanJob::take_infected>,       handles<&ScanJob::take_unscanned>,
        handles<&ScanJob::take_turn_ended>,     handles<&ScanJob::take_scan_result>,
        handles<&ScanJob::take_scanner_failed>, handles<&ScanJob::take_scan_completed>,
    };
    dispatch(table, *this, packet.bytes);
}

void ScanJob::take_scanner_ready(const ScannerReady& ready) {
    scanner_ready_ = true;
    embedded_only_ = ready.embedded_only;
    lacks_signatures_ = ready.embedded_only || !ready.problem.empty();
    may_find_too_much_ = ready.may_find_too_much;
    context_.ledger.tasks().set_signatures(task().id, ready.embedded_only, ready.problem);
    context_.ledger.outbox().note_signatures(
        Outbox::Problem::Broken,
        ready.embedded_only ? "there is no database: scans find only the test signatures" : ready.problem);
}

void ScanJob::take_progress(ScanProgress progress) {
    if (progress.replaced_workers > progress_.replaced_workers)
        count("clamscanner_workers_replaced_total", progress.replaced_workers - progress_.replaced_workers);
    progress_ = std::move(progress);
    current_file_ = progress_.current_file;
    coordinator_waits_ = progress_.waits_for_runner;
    save_progress();
}

void ScanJob::take_infected(const FoundInfected& found) {
    auto& outbox = context_.ledger.outbox();
    const FoundContent content{found.path, found.virus, found.sha256};
    const auto now = now_ms();
    const FindFacts facts{static_cast<std::int64_t>(std::min<std::uint64_t>(found.size, INT64_MAX)), found.changed_ms,
                          now, first_found(content, now)};
    if (context_.ledger.finds().add_infected(task().id, start_, found.path, found.virus, found.sha256, found.known,
                                             before_.files + found.place, facts))
        outbox.note_find(task().account, task().id, content, now);
    Brake(context_.ledger, context_.config).add_hit(task().account, found.virus);
}

// The outbox knows of all scans, but forgets what it is to tell again; the scan before may have been of another
// directory.
std::int64_t ScanJob::first_found(const FoundContent& found, std::int64_t now) {
    if (const auto noted = context_.ledger.outbox().first_noted(task().account, found)) return *noted;
    if (!scan_before_) return now;
    return context_.ledger.finds().first_found_in(*scan_before_, found).value_or(now);
}

void ScanJob::take_unscanned(const FoundUnscanned& found) {
    context_.ledger.finds().add_unscanned(task().id, start_, found.path, found.reason, before_.files + found.place);
}

void ScanJob::take_scan_result(const ScanResult& result) {
    const auto opaque = quarantined(result.token);
    // That the scanner does not know it makes no file good unless it has all signatures.
    const bool is_known =
        result.verdict == Verdict::Infected || (result.verdict == Verdict::Clean && !lacks_signatures_);
    if (is_known) context_.ledger.quarantine().set_clean(task().account, opaque, result.verdict == Verdict::Clean);
}

void ScanJob::take_scan_completed(const ScanCompleted& all) {
    scan_completed_ = all;
    complete_if_agreed();
}

// ---- The end of a scan ---------------------------------------------------------------------------------------------

void ScanJob::complete_if_agreed() {
    if (!handed_over_ || !scan_completed_ || forgetting_ || completed_) return;
    if (handed_over_->files != scan_completed_->files)
        throw Malformed("the runner's and the coordinator's counts of files differ");
    context_.ledger.finds().complete_scan(task().id, walk_unreadable_ + before_.files + scan_completed_->files,
                                          before_.clean_files + scan_completed_->clean_files,
                                          before_.known_files + scan_completed_->known_files);
    intend_quarantine();
    current_file_.clear();
    completed_ = true;
    close_coordinator();
    feeding_ = Feeding::Expired;
    context_.loop.request_another_round();
}

// In the same commit as the scan's end. What its owner asked for is the owner's to act on.
void ScanJob::intend_quarantine() {
    const bool begins_by_itself = task().scheduled || task().of_system_scan;
    if (!begins_by_itself || may_find_too_much_ || task_found_nothing()) return;
    if (context_.config.automatic_quarantine != AutomaticQuarantinePolicy::Never)
        context_.ledger.automatic().intend(task().id);
}

bool ScanJob::task_found_nothing() {
    return context_.ledger.tasks().get(task().id).infected_files == 0;
}

// Files that are in the quarantine as recorded are left out of the walk and scanned individually: newer signatures may
// call them clean. Anything else in that directory, and what was adopted, is scanned like any other file.
void ScanJob::scan_quarantined() {
    auto files = context_.ledger.quarantine().after(task().account, last_quarantined_, quarantined_at_once);
    if (files.empty()) return run_scan();
    for (auto& file : files) {
        last_quarantined_ = file.id;
        to_runner_.add(ScanQuarantined{static_cast<std::uint64_t>(file.id), std::move(file.opaque), file.inode,
                                       file.size, std::move(file.sha256), file.adopted});
    }
}

std::string ScanJob::quarantined(std::uint64_t token) {
    const auto id = static_cast<std::int64_t>(std::min<std::uint64_t>(token, INT64_MAX));
    auto name = id <= last_quarantined_ ? context_.ledger.quarantine().name_of(task().account, id) : std::nullopt;
    if (!name) throw Malformed("a result for a file that is not in the quarantine");
    return *std::move(name);
}

// Deletes files that have been in the quarantine longer than the administrator keeps them: by the time of day, and by
// the time that the host has been running, because for good is too long for a clock that was wrong for a moment. Not
// while a signature may be loaded that finds too much.
void ScanJob::discard_expired() {
    auto& ledger = context_.ledger;
    const auto longest_ms = static_cast<std::int64_t>(context_.config.quarantine_days) * day_ms;
    std::vector<QuarantineList::Expired> files;
    if (longest_ms != 0 && !may_find_too_much_ && expired_.size() < expired_at_once)
        files =
            ledger.quarantine().expired(task().account, now_ms() - longest_ms, ledger.running_time().now() - longest_ms,
                                        last_expired_, quarantined_at_once);
    for (auto& expired : files) {
        expired_.insert(expired.file.number);
        to_runner_.add(act_of(expired.file, true));
    }
    if (!files.empty()) {
        last_expired_ = std::move(files.back());
        return;
    }
    feeding_ = Feeding::Log;
    log_.begin(to_runner_);
    log_.ask_if_whole();
}

// The dispatcher ends it (ScanEndings).
void ScanJob::cancel() {
    context_.ledger.tasks().set_outcome(task().id, Outcome::Cancelled, "it was cancelled");
    finish(End::Over, "");
}

void ScanJob::remove_leftovers() {
    const Task ended = context_.ledger.tasks().get(task().id);
    // Otherwise the list is kept: it says which files were not reached.
    if (ended.outcome == Outcome::Completed) ::unlink(list_name(context_.config, ended).c_str());
}

void ScanJob::end_turn() {
    // Everything is scanned and recorded; the log in the home is only a copy.
    if (completed_) return finish(End::Over, "");
    if (!scanner_ready_ || !send_to_coordinator(EndTurn{})) finish(End::TurnOver, "others have their turn");
}

void ScanJob::runner_ended() {
    // The scan is complete; only the copy of the log in the home is missing.
    if (completed_) finish(End::Over, "");
    Job::runner_ended();
}

// For people to read: a heading, then a line for each file that is not clean.
std::vector<Record> ScanJob::log_lines(std::uint64_t after, std::size_t limit) {
    std::vector<Record> lines;
    if (after == 0) {
        const Task done = context_.ledger.tasks().get(task().id);
        Record head;
        head.id = 1;
        head.message = "Scan of " + std::string(row_of(done.scan_type).name) + ": " + std::to_string(done.total_files) +
                       " files, " + std::to_string(done.clean_files) + " clean, " +
                       std::to_string(done.infected_files) + " infected, " +
                       (done.ignored_files > 0 ? std::to_string(done.ignored_files) + " ignored, " : "") +
                       std::to_string(done.unscanned_files) + " not scanned" +
                       (done.embedded_signatures ? " (only the built-in test signatures were there to scan with)" : "");
        lines.push_back(std::move(head));
    }
    // A find's row number serves as the line's id, one higher than the head's.
    const auto finds = context_.ledger.finds().finds_after(
        task().id, after <= 1 ? 0 : static_cast<std::int64_t>(after - 1), limit - lines.size());
    for (const auto& find : finds) {
        Record line;
        line.id = static_cast<std::uint64_t>(find.id) + 1;
        line.file = find.path;
        line.message = find.virus.empty() ? std::string("not scanned: ") + text_of(find.reason)
                                          : find.virus + (find.ignored ? " ignored" : " FOUND");
        lines.push_back(std::move(line));
    }
    return lines;
}

}  // namespace clamscanner
