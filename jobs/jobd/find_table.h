// What the scans found: infected files, ignored ones among them, and files that have no verdict. Used by jobd alone;
// throws DatabaseError.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/history_table.h"
#include "jobs/jobd/ignore_list.h"
#include "jobs/jobd/messages.h"
#include "jobs/jobd/planned_action.h"
#include "jobs/jobd/task_table.h"

namespace clamscanner {

class FindTable {
 public:
    // All must outlive this.
    FindTable(LedgerDatabase& database, TaskTable& tasks, IgnoreList& ignored, HistoryTable& history)
        : database_(database), tasks_(tasks), ignored_(ignored), history_(history) {}

    // This start has made a new list of files, which replaces an earlier one; nothing in it is settled. What earlier
    // starts recorded, forget_earlier() forgets.
    // `embedded_only`: as far as this start has scanned, the test signatures were all that it had.
    void begin_list(TaskId id, std::uint32_t start, bool embedded_only);
    // A piece of a change that may be long, so that others are served in between: each forgets some rows, and returns
    // whether there were any.
    // Forgets files recorded as unscanned by starts before this one, which made the list, and what place infected files
    // had in earlier lists.
    [[nodiscard]] bool forget_earlier(TaskId id, std::uint32_t start);
    // The scan resumes after the settled files: forgets what is recorded of later ones, except infections.
    [[nodiscard]] bool forget_unsettled(TaskId id);

    // It counts as ignored, not as infected, if the list of what is ignored says so: then this is false. Without a time
    // in `facts` it was found now.
    bool add_infected(TaskId id, std::uint32_t start, const std::string& path, const std::string& virus,
                      const std::string& sha256, bool known = false, std::optional<std::uint64_t> place = std::nullopt,
                      const FindFacts& facts = {});
    // `place`: in the list; none for entries that the walk could not read.
    void add_unscanned(TaskId id, std::uint32_t start, const std::string& path, UnscannedReason reason,
                       std::optional<std::uint64_t> place);
    // As FindFacts::first_ms of a find of this scan; empty if it is not in its list.
    [[nodiscard]] std::optional<std::int64_t> first_found_in(TaskId id, const FoundContent& found);
    // Every file has its verdict, and forget_earlier() has nothing more to forget.
    void complete_scan(TaskId id, std::uint64_t total_files, std::uint64_t clean_files, std::uint64_t known_files);

    // ---- A scan that ends before it is complete
    // The file at this place in the list was not reached: what an earlier start or the account's scan before found
    // there still counts.
    void keep_find(const Task& scan, std::optional<TaskId> before, const std::string& path, std::uint64_t place);
    // There is no list: so does whatever the scan before found below this directory. One piece: those of its finds that
    // come behind `after`, which it moves on. False if there are no more.
    [[nodiscard]] bool keep_finds_below(TaskId id, TaskId before, const std::string& directory, std::int64_t& after);
    // How many of these places in the list have a find.
    [[nodiscard]] std::uint64_t count_placed(TaskId id, std::uint64_t from, std::uint64_t to);
    [[nodiscard]] bool is_known(TaskId id, const std::string& path);
    // `unreached`: how many files are counted as unscanned.
    void end_unfinished(TaskId id, Outcome outcome, const std::string& why, std::uint64_t unreached);

    // Each takes at most `budget` bytes.
    struct Listed {
        std::vector<InfectedFile> files;
        std::int64_t next = 0;  // pass it as `after` to get the rest; 0: there is none
    };
    // `with_gone`: also those disinfected since.
    [[nodiscard]] Listed infected_files(TaskId id, std::int64_t after, std::size_t budget, bool with_gone = false);
    // Of all accounts' last scans. Looks at `limit` finds at most, so a piece may be empty.
    [[nodiscard]] AllFinds all_finds(std::uint64_t after, const std::string& signature, std::size_t limit);
    // What the account's last scan found by the signatures that are wanted, and is there still: paths, from the find
    // after `after` on, which it moves on, to 0 behind the last. Looks at `limit` finds at most.
    [[nodiscard]] std::vector<std::string> paths_of(AccountId account,
                                                    const std::function<bool(const std::string& signature)>& is_wanted,
                                                    std::uint64_t& after, std::size_t limit);
    struct Unscanned {
        std::vector<UnscannedFile> files;
        std::int64_t next = 0;  // as in Listed
    };
    [[nodiscard]] Unscanned unscanned_files(TaskId id, std::int64_t after, std::size_t budget);
    struct Find {
        std::int64_t id = 0;
        std::string path;
        std::string virus;  // empty: unscanned
        bool ignored = false;
        UnscannedReason reason = UnscannedReason::ScannerFailed;
    };
    [[nodiscard]] std::vector<Find> finds_after(TaskId id, std::int64_t after, std::size_t limit);

    // ---- What is ignored
    // What the account's last scan found under this path, wherever it lies. The account's history is its caller's to
    // write.
    struct IgnoredNow {
        IgnoreResult result = IgnoreResult::NoFind;
        std::string virus;  // if there is a find
    };
    [[nodiscard]] IgnoredNow ignore(AccountId account, const std::string& path, const Ignoring& ignoring);
    // Some of what has to be done about rows of the list that are new, or that have ended: the same content elsewhere
    // in the account's last scan is ignored, too, or what was ignored is a find again. True while there is more to do.
    // Writes into the histories what ends by itself, and what accounts see of the end of an administrator's row.
    [[nodiscard]] bool settle_ignored();
    // The ignored files of a scan, then what the account's rows ignore that is none of them. Pieces as in Listed.
    [[nodiscard]] Ignored ignored_files(AccountId account, TaskId scan, std::uint64_t after, std::size_t budget);

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
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    [[nodiscard]] bool is_listed(TaskId scan, const std::string& path);
    void mark_gone(AccountId account, const std::string& path, bool gone);
    [[nodiscard]] bool forget_unscanned(TaskId id, Statement& reasons, Statement& remove, std::int64_t bound);
    void count_hit(TaskId id, const std::string& virus, std::int64_t change);
    void copy_find(TaskId id, std::int64_t find, std::optional<std::uint64_t> place);
    struct Owner {
        AccountId account = 0;
        std::string home;
    };
    [[nodiscard]] std::optional<Owner> owner_of(TaskId id);
    // The row by which the find is ignored. That it is the administrator's, the account's history says once.
    [[nodiscard]] std::optional<IgnoreList::RowId> ignoring_row(const Owner& owner, const FoundContent& found);
    void close_gap(TaskId id, std::int64_t number);
    void mark_ignored(std::int64_t find, IgnoreList::RowId row);
    void mark_infected(std::int64_t find, const IgnoreList::Unsettled& ended);
    void end_expired();
    [[nodiscard]] std::vector<std::int64_t> some_copies(AccountId account, const FoundContent& content);
    [[nodiscard]] std::vector<std::int64_t> some_ignored_by(IgnoreList::RowId row);
    void add_ignored_of_scan(TaskId scan, std::int64_t after, std::size_t budget, Ignored& ignored);
    void add_ignored_elsewhere(AccountId account, TaskId scan, std::int64_t after, std::size_t budget,
                               Ignored& ignored);

    LedgerDatabase& database_;
    TaskTable& tasks_;
    IgnoreList& ignored_;
    HistoryTable& history_;
};

}  // namespace clamscanner
