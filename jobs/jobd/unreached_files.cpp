#include "jobs/jobd/unreached_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "auth/base/log.h"
#include "auth/base/wire.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/shared/paths.h"

namespace clamscanner {
namespace {

// So many files of a list take some milliseconds: to be looked up, or for their finds to be copied as well. On a
// machine of half the speed, and busy, it must stay below the 20 ms of a turn.
constexpr std::uint64_t files_at_once = 1000;

}  // namespace

std::string list_directory(const Settings& config) {
    return config.paths.state_directory + "/lists";
}

std::string list_name(const Settings& config, TaskId scan, std::uint32_t start) {
    return list_directory(config) + "/" + std::to_string(scan) + "-" + std::to_string(start);
}

std::string list_name(const Settings& config, const Task& scan) {
    return list_name(config, scan.id, scan.walk_start);
}

UniqueFd open_kept_list(const Settings& config, const Task& scan, int access) {
    if (scan.list_bytes == 0) return {};
    UniqueFd file(::open(list_name(config, scan).c_str(), access | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    const bool whole =
        file && ::fstat(file.get(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == scan.list_bytes;
    return whole ? std::move(file) : UniqueFd();
}

void remove_old_lists(const Settings& config, Ledger& ledger) {
    std::set<std::string> needed;
    for (const auto& queued : ledger.tasks().queued()) needed.insert(list_name(config, queued.task));
    for (const TaskId scan : ledger.tasks().unfinished_scans())
        needed.insert(list_name(config, ledger.tasks().get(scan)));
    std::error_code none;
    for (const auto& list : std::filesystem::directory_iterator(list_directory(config), none))
        if (!needed.contains(list.path())) std::filesystem::remove(list.path());
}

// ---- The end of a scan ---------------------------------------------------------------------------------------------

EndOfScan::EndOfScan(const Settings& config, Ledger& ledger, TaskId scan, std::string home)
    : config_(config), ledger_(ledger), id_(scan), home_(std::move(home)), scan_(ledger.tasks().get(scan)) {}

bool EndOfScan::step() {
    switch (stage_) {
        case Stage::Forgetting:
            if (!ledger_.finds().forget_unsettled(id_) && !ledger_.finds().forget_earlier(id_, scan_.walk_start))
                open_list();
            return true;
        case Stage::InList:
            try {
                pass_some();
            } catch (const Malformed& damaged) {
                log_line(Severity::Warning, std::string("a list of files is not used: ") + damaged.what());
                stage_ = Stage::WithoutList;
            }
            return stage_ != Stage::Over;
        case Stage::WithoutList:
            without_list();
            return stage_ != Stage::Over;
        case Stage::Over:
            break;
    }
    return false;
}

void EndOfScan::open_list() {
    scan_ = ledger_.tasks().get(id_);
    before_ = ledger_.tasks().before(scan_);
    const auto found_by = [&](const Task& scan) { return scan.infected_files + scan.ignored_files; };
    if (before_ && found_by(ledger_.tasks().get(*before_)) == 0) before_.reset();
    looks_for_finds_ = before_ || found_by(scan_) > 0 || scan_.unscanned_files > 0;
    if (auto file = open_kept_list(config_, scan_, O_RDONLY)) list_.emplace(std::move(file));
    stage_ = list_ ? Stage::InList : Stage::WithoutList;
}

void EndOfScan::pass_some() {
    const auto settled = scan_.settled.files;
    const auto from = std::max(place_, settled);
    std::string relative;
    bool more = false;
    for (std::uint64_t passed = 0; passed < files_at_once && (more = list_->next(relative)); ++passed, ++place_)
        if (looks_for_finds_ && place_ >= settled)
            ledger_.finds().keep_find(scan_, before_, path_in(home_, relative), place_);
    if (place_ > from) with_find_ += ledger_.finds().count_placed(id_, from, place_);
    if (more) return;
    const auto unsettled = place_ > settled ? place_ - settled : 0;
    end(unsettled > with_find_ ? unsettled - with_find_ : 0);
}

// Nothing is known of the files: the directory stands for all of them.
void EndOfScan::without_list() {
    const auto directory = path_in(home_, config_.scan_of(scan_.scan_type).directory);
    auto& finds = ledger_.finds();
    if (finds.forget_earlier(id_, scan_.starts)) return;
    if (before_ && finds.keep_finds_below(id_, *before_, directory, after_)) return;
    finds.begin_list(id_, scan_.starts, scan_.embedded_signatures);
    // Whoever cancels a scan at once is told so, and nothing was listed.
    if (scan_.outcome != Outcome::Cancelled)
        finds.add_unscanned(id_, scan_.starts, directory.ends_with('/') ? directory : directory + "/",
                            UnscannedReason::EndedEarly, std::nullopt);
    end(0);
}

void EndOfScan::end(std::uint64_t unreached) {
    ledger_.finds().end_unfinished(id_, scan_.outcome, scan_.why, unreached);
    list_.reset();
    stage_ = Stage::Over;
}

// ---- What it did not reach ------------------------------------------------------------------------------------------

bool add_unreached(const Settings& config, LedgerTables& ledger, const Task& scan, const std::string& home,
                   ListPlace& place, UnscannedFiles& unscanned) {
    auto file = open_kept_list(config, scan, O_RDONLY);
    // The place is what the asker says.
    if (!file || place.offset > scan.list_bytes) return false;
    PathList list(std::move(file), place.offset);
    const auto reason = scan.outcome == Outcome::Cancelled ? UnscannedReason::Cancelled : UnscannedReason::EndedEarly;
    std::string relative;
    std::size_t cost = 0;
    for (std::uint64_t passed = 0; passed < files_at_once && cost < piece_budget; ++passed, ++place.file) {
        if (!list.next(relative)) return false;
        if (place.file < scan.settled.files) continue;
        auto path = path_in(home, relative);
        cost += cost_in_json(path) + 64;
        if (path.size() <= longest_path && !ledger.finds().is_known(scan.id, path))
            unscanned.files.push_back({std::move(path), reason});
    }
    place.offset = list.offset();
    return true;
}

}  // namespace clamscanner
