#include "jobs/jobd/scan_job.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/sha256.h"
#include "jobs/jobd/restoration_job.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {

namespace {

std::string list_directory(const Settings& config) {
    return config.paths.state_directory + "/lists";
}

// How many files that have been in the quarantine long enough are deleted at the end of one scan.
constexpr std::size_t expired_at_once = 10'000;

}  // namespace

std::string list_name(const Settings& config, TaskId task) {
    return list_directory(config) + "/" + std::to_string(task);
}

void remove_old_lists(const Settings& config, Ledger& ledger) {
    std::set<std::string> needed;
    for (const auto& task : ledger.queued_tasks()) needed.insert(std::to_string(task.task.id));
    for (const TaskId task : ledger.cancelled_scans()) needed.insert(std::to_string(task));
    std::error_code none;
    for (const auto& list : std::filesystem::directory_iterator(list_directory(config), none))
        if (!needed.contains(list.path().filename())) std::filesystem::remove(list.path());
}

ScanJob::ScanJob(const JobSurroundings& surroundings, AccountTask task)
    : Job(surroundings, std::move(task)),
      log_(LogFile::Scan, [this](std::uint64_t after, std::size_t limit) { return log_lines(after, limit); }) {}

void ScanJob::begin() {
    auto& ledger = surroundings_.ledger;
    ledger.begin(task().id);
    start_ = task().starts + 1;
    if (const auto before = ledger.task_before(task())) ::unlink(list_name(surroundings_.config, *before).c_str());
    std::vector<UniqueFd> coordinator;
    coordinator.push_back(take_coordinator_for_runner());
    to_runner_.add(UseCoordinator{}, std::move(coordinator));
    judge_quarantined();
    std::vector<UniqueFd> list;
    list.push_back(open_list());
    const auto& directory = surroundings_.config.scan_of(task().scan_type).directory;
    to_runner_.add(RunScan{directory, walked_, before_.files}, std::move(list));
}

// The memory is that of the account as it is now: whoever gets its uid one day has none.
NewJob ScanJob::new_job() const {
    const auto& facts = account();
    return {sha256_hex(facts.name + '\0' + facts.home + '\0' + std::to_string(facts.uid) + ' ' +
                       std::to_string(facts.file_system) + ' ' + std::to_string(facts.inode) + ' ' +
                       std::to_string(facts.born_ns)),
            task().full};
}

// The list of an earlier start, if it is whole; else an empty file.
UniqueFd ScanJob::open_list() {
    auto& ledger = surroundings_.ledger;
    const auto directory = list_directory(surroundings_.config);
    std::filesystem::create_directory(directory);
    const auto name = list_name(surroundings_.config, task().id);
    UniqueFd list(
        checked(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), "open a list of files"));
    struct stat status {};
    checked(::fstat(list.get(), &status), "measure a list of files");
    // After a start that came to nothing the list is not trusted again.
    const Task known = ledger.task(task().id);
    if (known.list_bytes > 0 && known.attempts == 0 && static_cast<std::uint64_t>(status.st_size) == known.list_bytes) {
        before_ = known.settled;
        walk_unreadable_ = known.walk_unreadable;
        walk_start_ = known.walk_start;
        walked_ = true;
        ledger.forget_unsettled(task().id);
        return list;
    }
    // Not shortened: a runner of before, not yet dead, may still write into that one.
    checked(::unlink(name.c_str()), "remove a list of files");
    walk_start_ = start_;
    ledger.begin_list(task().id, start_);
    return UniqueFd(checked(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), "make a list of files"));
}

bool ScanJob::waits_for_runner() const {
    // While signatures load, nobody keeps anybody waiting: not with what was walked, nor with what is in the
    // quarantine.
    if (!scanner_ready_ && (walked_ || !quarantined_.empty())) return false;
    return !walked_ || coordinator_waits_ || (scanned_all_ && !completed_) || completed_;
}

void ScanJob::save_progress() {
    auto& ledger = surroundings_.ledger;
    ledger.save_progress(task().id, walk_unreadable_ + before_.files + progress_.scanned_files,
                         before_.bytes + progress_.scanned_bytes, before_.clean_files + progress_.clean_files);
    const auto& now = progress_.settled;
    ledger.settle(task().id, {before_.files + now.files, before_.bytes + now.bytes,
                              before_.clean_files + now.clean_files, before_.known_files + now.known_files});
}

// ---- From the runner -----------------------------------------------------------------------------------------------

void ScanJob::hear_runner(Packet& packet) {
    static constexpr Handler<ScanJob, void> table[] = {
        handles<&ScanJob::take_walk_progress>, handles<&ScanJob::take_unreadable>, handles<&ScanJob::take_handed_over>,
        handles<&ScanJob::take_walk_failed>,   handles<&ScanJob::take_opened>,     handles<&ScanJob::take_not_opened>,
        handles<&ScanJob::take_acted>,         handles<&ScanJob::take_copy_done>,
    };
    dispatch(table, *this, packet.bytes);
}

void ScanJob::take_walk_progress(const WalkProgress& walk) {
    if (walked_) throw Malformed("the runner walks on after its walk");
    auto& ledger = surroundings_.ledger;
    walked_ = walk.walked;
    ledger.save_totals(task().id, walk.files, walk.bytes, walked_);
    if (walked_) ledger.keep_list(task().id, walk.list_bytes, walk_unreadable_);
}

void ScanJob::take_unreadable(const Unreadable& file) {
    if (walked_) throw Malformed("the runner walks on after its walk");
    ++walk_unreadable_;
    surroundings_.ledger.add_unscanned(task().id, start_, file.path, file.reason, std::nullopt);
    save_progress();
}

void ScanJob::take_handed_over(const HandedOver& handed_over) {
    handed_over_ = handed_over;
    complete_if_agreed();
}

void ScanJob::take_walk_failed(const WalkFailed& failed) {
    surroundings_.ledger.end(task().id, Outcome::EndedEarly, failed.why);
    finish(End::Over, "");
}

// It is not in the quarantine as it was put there: so nothing is known of what its owner would get back.
void ScanJob::take_not_opened(const NotOpened& refused) {
    surroundings_.ledger.quarantine().judge(task().account, quarantined(refused.token), false);
}

void ScanJob::take_acted(const Acted& acted) {
    if (acted.token == 0 || acted.token > expired_.size()) throw Malformed("the runner did what it was not asked");
    if (acted.state != RecordState::Error)
        surroundings_.ledger.quarantine().forget(task().account, expired_[acted.token - 1]);
}

void ScanJob::take_copy_done(const CopyDone&) {
    log_.answered();
    finish(End::Over, "");
}

// ---- From the coordinator ------------------------------------------------------------------------------------------

void ScanJob::hear_coordinator(Packet& packet) {
    static constexpr Handler<ScanJob, void> table[] = {
        handles<&ScanJob::take_scanner_ready>,  handles<&ScanJob::take_progress>,    handles<&ScanJob::take_infected>,
        handles<&ScanJob::take_unscanned>,      handles<&ScanJob::take_turn_ended>,  handles<&ScanJob::take_judged>,
        handles<&ScanJob::take_scanner_failed>, handles<&ScanJob::take_scanned_all>,
    };
    dispatch(table, *this, packet.bytes);
}

void ScanJob::take_scanner_ready(const ScannerReady& ready) {
    scanner_ready_ = true;
    surroundings_.ledger.set_signatures(task().id, ready.embedded_only, ready.problem);
}

void ScanJob::take_progress(ScanProgress progress) {
    progress_ = std::move(progress);
    current_file_ = progress_.current_file;
    coordinator_waits_ = progress_.waits_for_runner;
    save_progress();
}

void ScanJob::take_infected(const FoundInfected& found) {
    surroundings_.ledger.add_infected(task().id, start_, found.path, found.virus, found.sha256, found.known,
                                      before_.files + found.place);
}

void ScanJob::take_unscanned(const FoundUnscanned& found) {
    surroundings_.ledger.add_unscanned(task().id, start_, found.path, found.reason, before_.files + found.place);
}

void ScanJob::take_judged(const Judged& judged) {
    const auto& opaque = quarantined(judged.token);
    if (judged.verdict != Verdict::Unscanned)
        surroundings_.ledger.quarantine().judge(task().account, opaque, judged.verdict == Verdict::Clean);
}

void ScanJob::take_scanned_all(const ScannedAll& all) {
    scanned_all_ = all;
    complete_if_agreed();
}

// ---- The end of a scan ---------------------------------------------------------------------------------------------

void ScanJob::complete_if_agreed() {
    if (!handed_over_ || !scanned_all_) return;
    if (handed_over_->files != scanned_all_->files)
        throw Malformed("the runner and the coordinator count different files");
    surroundings_.ledger.complete_scan(task().id, walk_start_, walk_unreadable_ + before_.files + scanned_all_->files,
                                       before_.clean_files + scanned_all_->clean_files,
                                       before_.known_files + scanned_all_->known_files);
    current_file_.clear();
    completed_ = true;
    dismiss_coordinator();
    discard_expired();
    log_.begin(to_runner_);
    log_.ask_whether_whole();
}

// What is in the quarantine as it was put there is left out of the walk, and judged by itself: signatures may have
// changed their mind. Anything else in there is a file like any other.
void ScanJob::judge_quarantined() {
    for (auto& file : surroundings_.ledger.quarantine().all(task().account)) {
        quarantined_.push_back(file.opaque);
        to_runner_.add(
            LeaveOut{quarantined_.size(), std::move(file.opaque), file.inode, file.size, std::move(file.sha256)});
    }
}

const std::string& ScanJob::quarantined(std::uint64_t token) const {
    if (token == 0 || token > quarantined_.size()) throw Malformed("what is not in the quarantine was judged");
    return quarantined_[token - 1];
}

// What has been in the quarantine for as long as the administrator keeps it.
void ScanJob::discard_expired() {
    const auto days = static_cast<std::int64_t>(surroundings_.config.quarantine_days);
    if (days == 0) return;
    for (const auto& file :
         surroundings_.ledger.quarantine().expired(task().account, now_ms() - days * day_ms, expired_at_once)) {
        expired_.push_back(file.opaque);
        to_runner_.add(act_of(file, true));
    }
}

void ScanJob::cancel() {
    surroundings_.ledger.cancel_scan(task().id);
    finish(End::Over, "");
}

void ScanJob::clear_away() {
    // Of a cancelled scan it says which files were not reached.
    if (surroundings_.ledger.task(task().id).outcome == Outcome::Cancelled) return;
    ::unlink(list_name(surroundings_.config, task().id).c_str());
}

void ScanJob::end_turn() {
    // All is scanned and recorded; the log in the home is only a copy.
    if (completed_) return finish(End::Over, "");
    if (!scanner_ready_ || !tell_coordinator(EndTurn{})) finish(End::TurnOver, "others have their turn");
}

void ScanJob::runner_ended() {
    // The scan itself is complete: what is missing is only the copy for people in the home.
    if (completed_) finish(End::Over, "");
    Job::runner_ended();
}

// For people: a head, then a line for each file that is not clean.
std::vector<Record> ScanJob::log_lines(std::uint64_t after, std::size_t limit) {
    std::vector<Record> lines;
    if (after == 0) {
        const Task done = surroundings_.ledger.task(task().id);
        Record head;
        head.id = 1;
        head.message = "Scan of " + std::string(row_of(done.scan_type).name) + ": " + std::to_string(done.total_files) +
                       " files, " + std::to_string(done.clean_files) + " clean, " +
                       std::to_string(done.infected_files) + " infected, " + std::to_string(done.unscanned_files) +
                       " not scanned" +
                       (done.embedded_signatures ? " (only the built-in test signatures were there to scan with)" : "");
        lines.push_back(std::move(head));
    }
    // A find's row number serves as the line's id, one higher than the head's.
    const auto finds = surroundings_.ledger.finds_after(
        task().id, after <= 1 ? 0 : static_cast<std::int64_t>(after - 1), limit - lines.size());
    for (const auto& find : finds) {
        Record line;
        line.id = static_cast<std::uint64_t>(find.id) + 1;
        line.file = find.path;
        line.message = find.virus.empty() ? std::string("not scanned: ") + text_of(find.reason) : find.virus + " FOUND";
        lines.push_back(std::move(line));
    }
    return lines;
}

}  // namespace clamscanner
