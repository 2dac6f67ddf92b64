#include "jobs/scan_job.h"

#include <fcntl.h>

#include "auth/checked.h"
#include "auth/log.h"

namespace clamscanner {

ScanJob::ScanJob(const JobSurroundings& surroundings, AccountTask task)
    : Job(surroundings, std::move(task)),
      log_(LogFile::Scan, [this](std::uint64_t after, std::size_t limit) { return log_lines(after, limit); }) {}

void ScanJob::begin() {
    auto& ledger = surroundings_.ledger;
    ledger.begin(task().id);
    start_ = task().starts + 1;
    UniqueFd list(
        checked(::open(surroundings_.config.paths.state_directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
                "make the list of files"));
    for (auto& file : ledger.quarantined(task().account)) to_runner_.add(std::move(file));
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(take_coordinator_for_runner());
    descriptors.push_back(std::move(list));
    const auto& directory = surroundings_.config.scan[static_cast<std::size_t>(task().scan_type)].directory;
    to_runner_.add(RunScan{directory}, std::move(descriptors));
}

bool ScanJob::waits_for_runner() const {
    // While signatures load, nobody keeps anybody waiting.
    if (!scanner_ready_ && walked_) return false;
    return !walked_ || coordinator_waits_ || (scanned_all_ && !completed_) || completed_;
}

void ScanJob::save_progress() {
    surroundings_.ledger.save_progress(task().id, progress_.scanned_files + unreadable_, progress_.scanned_bytes,
                                       progress_.clean_files);
}

void ScanJob::hear_runner(Packet& packet) {
    auto& ledger = surroundings_.ledger;
    if (is<WalkProgress>(packet.bytes)) {
        const auto walk = decode<WalkProgress>(packet.bytes);
        walked_ = walked_ || walk.walked;
        ledger.save_totals(task().id, walk.files, walk.bytes, walked_);
    } else if (is<Unreadable>(packet.bytes)) {
        const auto file = decode<Unreadable>(packet.bytes);
        ++unreadable_;
        ledger.add_unscanned(task().id, start_, file.path, file.reason);
        save_progress();
    } else if (is<HandedOver>(packet.bytes)) {
        handed_over_ = decode<HandedOver>(packet.bytes);
        if (handed_over_->unreadable != unreadable_) throw Malformed("the runner miscounted what it could not read");
        complete_if_agreed();
    } else if (is<WalkFailed>(packet.bytes)) {
        ledger.end(task().id, Outcome::EndedEarly, decode<WalkFailed>(packet.bytes).why);
        finish(End::Over, "");
    } else {
        static_cast<void>(decode<CopyDone>(packet.bytes));
        log_.answered();
        finish(End::Over, "");
    }
}

void ScanJob::hear_coordinator(Packet& packet) {
    auto& ledger = surroundings_.ledger;
    if (is<ScannerReady>(packet.bytes)) {
        scanner_ready_ = true;
        ledger.set_signatures(task().id, decode<ScannerReady>(packet.bytes).embedded_only);
    } else if (is<ScanProgress>(packet.bytes)) {
        progress_ = decode<ScanProgress>(packet.bytes);
        current_file_ = progress_.current_file;
        coordinator_waits_ = progress_.waits_for_runner;
        save_progress();
    } else if (is<FoundInfected>(packet.bytes)) {
        const auto found = decode<FoundInfected>(packet.bytes);
        ledger.add_infected(task().id, start_, found.path, found.virus, found.identity);
    } else if (is<FoundUnscanned>(packet.bytes)) {
        const auto found = decode<FoundUnscanned>(packet.bytes);
        ledger.add_unscanned(task().id, start_, found.path, found.reason);
    } else if (is<ScannerFailed>(packet.bytes)) {
        finish(End::Failed, decode<ScannerFailed>(packet.bytes).why);
    } else {
        scanned_all_ = decode<ScannedAll>(packet.bytes);
        complete_if_agreed();
    }
}

void ScanJob::complete_if_agreed() {
    if (!handed_over_ || !scanned_all_) return;
    if (handed_over_->handed_over != scanned_all_->files)
        throw Malformed("the runner and the coordinator count different files");
    surroundings_.ledger.complete_scan(task().id, start_, handed_over_->handed_over + handed_over_->unreadable,
                                       scanned_all_->clean_files);
    current_file_.clear();
    completed_ = true;
    dismiss_coordinator();
    log_.begin(to_runner_);
    log_.ask_whether_whole();
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
        head.message = "Scan of " + std::string(scan_type_names[static_cast<std::size_t>(done.scan_type)]) + ": " +
                       std::to_string(done.total_files) + " files, " + std::to_string(done.clean_files) + " clean, " +
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
