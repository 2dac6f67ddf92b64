// An account, and a task of it: a scan, a disinfection or a restoration, as the ledger stores them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "jobs/engine/messages.h"
#include "jobs/jobd/ledger_database.h"
#include "jobs/shared/scan_types.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// An account as it is at one time. A uid may later be given to somebody else, and then nothing of the old owner's may
// be shown or acted on. Two accounts are the same only if all fields match.
struct AccountFacts {
    uid_t uid = 0;
    std::string name;
    std::string home;
    std::uint64_t file_system = 0;  // statfs(2)'s f_fsid of the home; 0 if jobd may not examine it
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;  // the home's birth time; 0 if the file system has none
    bool operator==(const AccountFacts&) const = default;
};

// The first values of AskedFor (messages.h); its others, of changes that are made at once, are stored as tasks that
// have ended (history_table.h), and nothing but the history knows of those. A preparation becomes a disinfection or a
// restoration once all of its actions have come; until then only its account is busy.
enum class TaskKind : std::uint8_t { Scan = 0, Disinfection = 1, Restoration = 2, Preparation = 3 };
enum class TaskState : std::uint8_t { Queued = 0, Running = 1, Ended = 2 };
enum class Outcome : std::uint8_t { None = 0, Completed = 1, EndedEarly = 2, Cancelled = 3 };

struct Task {
    TaskId id = 0;
    AccountId account = 0;
    TaskKind kind = TaskKind::Scan;
    TaskState state = TaskState::Queued;
    Outcome outcome = Outcome::None;  // may be set before it has ended: TaskTable::set_outcome()
    ScanType scan_type = ScanType::Home;
    std::int64_t created_ms = 0;  // since the epoch
    std::uint32_t attempts = 0;   // starts that made no progress, since the last that did
    std::uint32_t starts = 0;
    std::int64_t begun_running_ms = 0;  // the host's running time at the first start; 0: not started yet
    bool of_system_scan = false;        // a job of the administrator's scan of all accounts
    bool scheduled = false;             // a scan of the account's schedule
    std::uint64_t total_files = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t scanned_files = 0;
    std::uint64_t scanned_bytes = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t infected_files = 0;
    std::uint64_t ignored_files = 0;  // infected, and left out of the infected ones
    std::uint64_t unscanned_files = 0;
    std::uint64_t known_files = 0;      // of a completed scan: clean files that were not read
    std::uint64_t known_infected = 0;   // infected files that were not read, ignored ones too
    bool full = false;                  // it reads every file
    std::string signature_problem;      // why it did not have the newest signatures
    Settled settled;                    // of the files in the list
    std::uint64_t list_bytes = 0;       // the length of the list of files; 0: none to resume from
    std::uint64_t walk_unreadable = 0;  // how many entries that walk could not read
    std::uint32_t walk_start = 0;       // the number of the start that made the list
    std::uint64_t last_record = 0;
    bool embedded_signatures = false;
    bool log_pending = false;
    std::string why;  // it ended early or waits, for the owner to read
};

struct AccountTask {
    Task task;
    AccountFacts account;
};

// 8 hex digits, a slash and 14 hex digits.
[[nodiscard]] std::string task_name(const Task& task);

}  // namespace clamscanner
