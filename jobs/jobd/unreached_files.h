// The files that a scan did not reach, because it was cancelled or ended early: those in the list of its walk that have
// no verdict. Whatever ended a scan, clean, infected and unscanned files add up to its total, and what an earlier scan
// or an earlier start found in an unreached file is still reported as infected.
//
// Each start that walks makes a list of its own, and the last complete one counts. The ledger knows which one that is.
#pragma once

#include <cstdint>
#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/jobd/ledger.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

[[nodiscard]] std::string list_directory(const Settings& config);
// The path of the list that this start of the scan makes.
[[nodiscard]] std::string list_name(const Settings& config, TaskId scan, std::uint32_t start);
// The path of the list that the scan resumes from. It exists only if the list is kept.
[[nodiscard]] std::string list_name(const Settings& config, const Task& scan);

// The list that the scan resumes from, if it is whole; else empty. `access`: O_RDONLY or O_RDWR.
[[nodiscard]] UniqueFd open_kept_list(const Settings& config, const Task& scan, int access);

// Removes lists that no scan needs any more. Called when jobd starts.
void remove_old_lists(const Settings& config, Ledger& ledger);

// Ends a scan before it is complete. `home`: the account's.
void end_unfinished_scan(const Settings& config, Ledger& ledger, TaskId scan, const std::string& home, Outcome outcome,
                         const std::string& why);

// Adds unreached files from this place in the list on. Sets `next_place`, and returns true, if the piece was full
// before the end of the list.
[[nodiscard]] bool add_unreached(const Settings& config, Ledger& ledger, const Task& scan, const std::string& home,
                                 std::uint64_t from, UnscannedFiles& unscanned, std::uint64_t& next_place);

}  // namespace clamscanner
