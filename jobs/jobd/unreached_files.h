// The files that a scan did not reach, because it was cancelled or ended early: those in the list of its walk that have
// no verdict. Whatever ended a scan, clean, infected, ignored and unscanned files add up to its total, and what an
// earlier scan or an earlier start found in an unreached file is still reported as infected.
//
// Each start that walks makes a list of its own, and the last complete one counts. The ledger knows which one that is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/jobd/ledger.h"
#include "jobs/shared/path_list.h"
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

// Ends a scan before it is complete, in pieces that take some milliseconds each: its list may have a million files.
// TaskTable::set_outcome() says how it ends. After a restart it begins anew.
class EndOfScan {
 public:
    // `home`: the account's.
    EndOfScan(const Settings& config, Ledger& ledger, TaskId scan, std::string home);
    // True while there is more to do.
    [[nodiscard]] bool step();

 private:
    void open_list();
    void pass_some();
    void without_list();
    void end(std::uint64_t unreached);

    const Settings& config_;
    Ledger& ledger_;
    TaskId id_;
    std::string home_;
    Task scan_;
    std::optional<TaskId> before_;  // the scan before, if it found anything
    enum class Stage { Forgetting, InList, WithoutList, Over } stage_ = Stage::Forgetting;
    std::optional<PathList> list_;
    std::uint64_t place_ = 0;      // in the list
    std::uint64_t with_find_ = 0;  // of the files that were passed and are not settled
    bool looks_for_finds_ = true;  // there may be earlier ones
    std::int64_t after_ = 0;       // the last find that was passed
};

// Adds unreached files from this place on, which is at `offset` of the list; goes on from there when asked again, if
// it returns true. At most one piece, which may hold no file at all.
[[nodiscard]] bool add_unreached(const Settings& config, LedgerTables& ledger, const Task& scan,
                                 const std::string& home, ListPlace& place, UnscannedFiles& unscanned);

}  // namespace clamscanner
