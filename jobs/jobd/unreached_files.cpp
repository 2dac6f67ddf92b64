#include "jobs/jobd/unreached_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include "auth/base/log.h"
#include "auth/base/wire.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/shared/path_list.h"
#include "jobs/shared/paths.h"

namespace clamscanner {
namespace {

std::optional<PathList> open_list(const Settings& config, const Task& scan) {
    UniqueFd file = open_kept_list(config, scan, O_RDONLY);
    return file ? std::optional<PathList>(std::move(file)) : std::nullopt;
}

// Calls `take` for each file of the list behind the settled ones, with its place. Returns how many files the list has.
std::uint64_t each_unsettled(PathList& list, const Task& scan, const std::string& home,
                             const std::function<void(const std::string&, std::uint64_t)>& take) {
    std::string relative;
    std::uint64_t place = 0;
    for (; list.next(relative); ++place)
        if (place >= scan.settled.files) take(path_in(home, relative), place);
    return place;
}

// Finds of earlier starts and of the scan before, by path: those whose place in this scan's list is not known.
using EarlierFinds = std::map<std::string, FindTable::EarlierFind>;

// Keeps what was found before in files that the scan did not reach. Returns the number of files in the list; empty if
// there is no whole list.
std::optional<std::uint64_t> keep_finds_in_list(const Settings& config, Ledger& ledger, const Task& scan,
                                                const std::string& home, const EarlierFinds& finds) {
    auto list = open_list(config, scan);
    if (!list) return std::nullopt;
    try {
        return each_unsettled(*list, scan, home, [&](const std::string& path, std::uint64_t place) {
            if (const auto find = finds.find(path); find != finds.end())
                ledger.finds().keep_find(scan.id, find->second, place);
        });
    } catch (const Malformed& damaged) {
        log_line(Severity::Warning, std::string("a list of files is not used: ") + damaged.what());
        return std::nullopt;
    }
}

// Nothing is known of the files: the directory stands for all of them.
void keep_finds_without_list(const Settings& config, Ledger& ledger, const Task& scan, const std::string& home,
                             Outcome outcome, const EarlierFinds& finds) {
    const auto directory = path_in(home, config.scan_of(scan.scan_type).directory);
    ledger.finds().begin_list(scan.id, scan.starts, scan.embedded_signatures);
    for (const auto& [path, find] : finds)
        if (is_below(path, directory)) ledger.finds().keep_find(scan.id, find, std::nullopt);
    // Whoever cancels a scan at once is told so, and nothing was listed.
    if (outcome == Outcome::Cancelled) return;
    ledger.finds().add_unscanned(scan.id, scan.starts, directory.ends_with('/') ? directory : directory + "/",
                                 UnscannedReason::EndedEarly, std::nullopt);
}

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

void end_unfinished_scan(const Settings& config, Ledger& ledger, TaskId id, const std::string& home, Outcome outcome,
                         const std::string& why) {
    ledger.finds().forget_unsettled(id);
    const Task scan = ledger.tasks().get(id);
    const auto finds = ledger.finds().earlier_finds(scan);
    const auto listed = keep_finds_in_list(config, ledger, scan, home, finds);
    if (!listed) keep_finds_without_list(config, ledger, scan, home, outcome, finds);
    ledger.finds().end_unfinished(id, outcome, why, listed.value_or(0));
}

bool add_unreached(const Settings& config, Ledger& ledger, const Task& scan, const std::string& home,
                   std::uint64_t from, UnscannedFiles& unscanned, std::uint64_t& next_place) {
    auto list = open_list(config, scan);
    if (!list) return false;
    const auto reason = scan.outcome == Outcome::Cancelled ? UnscannedReason::Cancelled : UnscannedReason::EndedEarly;
    const auto placed = ledger.finds().placed_beyond_settled(scan.id);
    std::string relative;
    std::size_t cost = 0;
    for (std::uint64_t place = 0; list->next(relative); ++place) {
        if (place < from) continue;
        auto path = path_in(home, relative);
        cost += cost_in_json(path) + 64;
        if (cost > answer_budget / 4) {  // one piece at a time, so that others are answered meanwhile
            next_place = place;
            return true;
        }
        if (path.size() <= longest_path && !placed.contains(path)) unscanned.files.push_back({std::move(path), reason});
    }
    return false;
}

}  // namespace clamscanner
