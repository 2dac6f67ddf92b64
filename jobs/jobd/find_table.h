// What the scans found: infected files, and files that have no verdict. Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobs/jobd/messages.h"
#include "jobs/jobd/planned_action.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class FindTable {
 public:
    // Both must outlive this.
    FindTable(LedgerDatabase& database, TaskTable& tasks) : database_(database), tasks_(tasks) {}

    // This start has made a new list of files, which replaces an earlier one; nothing in it is settled.
    // `embedded_only`: as far as this start has scanned, the test signatures were all that it had.
    void begin_list(TaskId id, std::uint32_t start, bool embedded_only);
    // The scan resumes after the settled files: forgets what is recorded of later ones, except infections.
    void forget_unsettled(TaskId id);
    void add_infected(TaskId id, std::uint32_t start, const std::string& path, const std::string& virus,
                      const std::string& sha256, bool known = false, std::optional<std::uint64_t> place = std::nullopt);
    // `place`: in the list; none for entries that the walk could not read.
    void add_unscanned(TaskId id, std::uint32_t start, const std::string& path, UnscannedReason reason,
                       std::optional<std::uint64_t> place);
    // Every file has its verdict. Forgets files recorded as unscanned by starts before the one that made the list.
    void complete_scan(TaskId id, std::uint32_t walk_start, std::uint64_t total_files, std::uint64_t clean_files,
                       std::uint64_t known_files);
    // Finds in files that the scan may not have reached: its own of earlier starts, and those of the account's scan
    // before.
    struct EarlierFind {
        std::int64_t id = 0;
        bool of_this_scan = true;
        std::string virus;
    };
    [[nodiscard]] std::map<std::string, EarlierFind> earlier_finds(const Task& scan);  // by path
    // The file was not reached: what was found earlier still counts. `place`: in the list; none if there is no list.
    void keep_find(TaskId id, const EarlierFind& find, std::optional<std::uint64_t> place);
    // It was cancelled or ended early. Of the `listed` files those that were not reached are counted as unscanned.
    void end_unfinished(TaskId id, Outcome outcome, const std::string& why, std::uint64_t listed);

    // Each takes at most `budget` bytes; `cut` says that there is more.
    struct Paths {
        std::vector<std::string> paths;
        bool cut = false;
    };
    [[nodiscard]] Paths found_paths(TaskId id, std::size_t budget);  // including files disinfected since
    struct Listed {
        std::vector<InfectedFile> files;
        std::int64_t next = 0;  // pass it as `after` to get the rest; 0: there is none
    };
    [[nodiscard]] Listed infected_files(TaskId id, std::int64_t after, std::size_t budget);
    struct Unscanned {
        std::vector<UnscannedFile> files;
        std::int64_t next = 0;  // as in Listed
    };
    [[nodiscard]] Unscanned unscanned_files(TaskId id, std::int64_t after, std::size_t budget);
    // Files beyond the settled ones that have a find all the same: of workers, which do not get far ahead of each
    // other, and what was found earlier.
    [[nodiscard]] std::set<std::string> placed_beyond_settled(TaskId id);
    struct Find {
        std::int64_t id = 0;
        std::string path;
        std::string virus;  // empty: unscanned
        UnscannedReason reason = UnscannedReason::ScannerFailed;
    };
    [[nodiscard]] std::vector<Find> finds_after(TaskId id, std::int64_t after, std::size_t limit);

    // ---- What is done about them
    struct Conflict {
        std::string first;
        std::string second;
    };
    // Resolves the paths against the last scan's list. Conflict: two keys name one file with different actions.
    [[nodiscard]] std::optional<Conflict> resolve(AccountId account, const std::string& home,
                                                  std::vector<FileAction> asked, std::vector<PlannedAction>& planned);
    // The hash of what the account's last scan found under this path; empty if unknown.
    [[nodiscard]] std::string found_sha256(AccountId account, const std::string& path);
    // The file has left the list of infected files.
    void leave_list(AccountId account, const std::string& path);
    // The file is back where a scan found it.
    void return_to_list(AccountId account, const std::string& path);

 private:
    [[nodiscard]] Statement& statement(const char* sql) { return database_.statement(sql); }
    [[nodiscard]] bool is_listed(TaskId scan, const std::string& path);
    void mark_gone(AccountId account, const std::string& path, bool gone);
    struct ForgetStatements {
        const char* count;
        const char* remove;
    };
    void forget_unscanned(TaskId id, const ForgetStatements& statements, std::int64_t bound);

    LedgerDatabase& database_;
    TaskTable& tasks_;
};

}  // namespace clamscanner
