// Questions from agents and from the administrator's command to jobd, and the answers: frames on a stream, one question
// at a time. Each question names the type of its answer; Declined may come instead of any answer. The kernel says which
// user asks; the administrator's questions are accepted only on a socket that only jobd's user may open.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "auth/base/voucher.h"
#include "auth/base/wire.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class JobdMessage : std::uint16_t {
    StartScan = 40,
    StartSystemScan,
    AskScanStatus,
    AskInfectedFiles,
    Disinfect,
    AskStatistics,
    AskScanTasks,
    AskScanEvents,
    AskDisinfection,
    CancelScan,
    AskUnscannedFiles,
    AskQuarantinedFiles,
    ChangeQuarantine,
    AskQuarantineChange,
    AskDryRun,
    UnscannedFiles,
    QuarantinedFiles,
    QuarantineQueued,
    QuarantineChange,
    DryRun,
    Accepted,
    Declined,
    ScanStatus,
    InfectedFiles,
    DisinfectionQueued,
    DisinfectionStatus,
    ScanStatistics,
    ScanTasks,
    ScanEvents,
    AskHeldSignatures,
    HeldSignatures,
    AllowSignature,
    AskSystemScan,
    SystemScanProgress,
    AskHistory,
    History,
    CancelSystemScan,
    AskAllFinds,
    AllFinds,
    QuarantineFinds,
    FindsQueued,
    AskTask,
    TaskReport,
    AskService,
    ServiceReport,
    AskIgnored,
    Ignored,
    IgnoreFiles,
    FilesIgnored,
    UnignoreFiles,
    FilesUnignored,
    AskIgnoredEverywhere,
    AllIgnoredEverywhere,
    IgnoreEverywhere,
    UnignoreEverywhere,
    AskSchedule,
    SetSchedule,
    ScheduleStatus,
    AskNotifications = 220,  // others begin at 100
    Notifications,
    SetNotifications,
    ConfirmNotifications,
    FetchNotice,
    Notice,
    SettleNotice,
    AskFoundHash,
    FoundHash,
};

inline constexpr std::size_t most_actions = 500'000;
inline constexpr std::size_t most_entries = 2'000'000;

// What is long goes to jobd and comes from it in pieces, each a question of its own, so that jobd serves others in
// between: of about so many bytes of JSON, or so many actions.
inline constexpr std::size_t piece_budget = 1024 * 1024;
inline constexpr std::size_t most_actions_in_piece = 1000;
inline constexpr std::size_t longest_jobs_question = 2 * 1024 * 1024;
inline constexpr std::size_t longest_jobs_answer = 8 * 1024 * 1024;

// An answer of the API holds at most so many bytes of JSON.
inline constexpr std::size_t answer_budget = 32 * 1024 * 1024;

// Whether a question changes something: one that only reads may be asked again when its answer was lost.
enum class Effect { Reads, Changes };

// ---- Answers to several questions -----------------------------------------------------------------------------------

struct Accepted {
    static constexpr auto type = JobdMessage::Accepted;
    void fields(auto&) {}
};

// A refusal, with a sentence for the client.
struct Declined {
    static constexpr auto type = JobdMessage::Declined;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_path + longest_message); }
};

// Of a task in the queue: how many others begin before it, unless something changes.
struct QueuePlace {
    bool waits = false;  // for its turn, and for nothing else
    std::uint64_t before = 0;
    void fields(auto& wire) {
        wire.number(waits);
        wire.number(before);
    }
};

// ---- Scans ----------------------------------------------------------------------------------------------------------

struct StartScan {
    static constexpr auto type = JobdMessage::StartScan;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    ScanType scan_type = ScanType::Home;
    bool as_system = false;  // the statistics list it as "system" instead of "user"
    bool full = false;       // also read files that are known to be clean
    Asker asker = {};
    void fields(auto& wire) {
        wire.choice(scan_type, last_scan_type);
        wire.number(as_system);
        wire.number(full);
        asker.fields(wire);
    }
};

struct CancelScan {
    static constexpr auto type = JobdMessage::CancelScan;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    void fields(auto&) {}
};

// Scans all these accounts, with one job each. Only for host users (jobs.host_users) and jobd's own user.
struct StartSystemScan {
    static constexpr auto type = JobdMessage::StartSystemScan;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    struct Uid {
        std::uint32_t uid = 0;
        void fields(auto& wire) { wire.number(uid); }
    };
    std::vector<Uid> accounts;
    Asker asker = {};
    [[nodiscard]] static StartSystemScan of(const std::vector<std::uint32_t>& uids, const Asker& asker) {
        StartSystemScan scan;
        scan.asker = asker;
        for (const auto uid : uids) scan.accounts.push_back({uid});
        return scan;
    }
    void fields(auto& wire) {
        wire.list(accounts, most_actions);
        asker.fields(wire);
    }
};

// What is told of a find beside its path, which is the account's word, and its signature. Size and change are of the
// file as it was found: what the engine asked the kernel about the open file, so the account cannot make them up. Times
// are jobd's. All times are milliseconds since the epoch; 0 is unknown.
struct FindFacts {
    static constexpr std::int64_t unknown_size = -1;
    std::int64_t size = unknown_size;  // bytes
    std::int64_t changed_ms = 0;  // its content, owner, mode or name: the kernel's change time, not the modification
                                  // time, which the account may set
    std::int64_t found_ms = 0;    // by the scan in whose list it is; the statistics tell the same moment
    std::int64_t first_ms = 0;    // by the first of all scans that found this content there, by this signature
    void fields(auto& wire) {
        for (auto* number : {&size, &changed_ms, &found_ms, &first_ms}) wire.number(*number);
    }
    bool operator==(const FindFacts&) const = default;
};

// As lists tell them: "" is unknown.
[[nodiscard]] inline std::string size_text(const FindFacts& facts) {
    return facts.size < 0 ? std::string() : std::to_string(facts.size);
}
[[nodiscard]] inline std::string seconds_text(std::int64_t ms) {
    return ms < 1000 ? std::string() : std::to_string(ms / 1000);
}

struct InfectedFile {
    std::string path;
    std::string virus;
    FindFacts facts = {};
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        facts.fields(wire);
    }
};

struct InfectedFiles {
    static constexpr auto type = JobdMessage::InfectedFiles;
    std::vector<InfectedFile> files;
    std::uint64_t scan = 0;  // two pieces of one list have the same
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(scan);
        wire.number(next);
    }
};

struct ScanStatus {
    static constexpr auto type = JobdMessage::ScanStatus;
    bool ever_started = false;
    bool complete = true;
    std::int64_t time_started = 0;  // epoch seconds
    std::uint64_t scanned_files = 0;
    std::uint64_t scanned_bytes = 0;
    std::uint64_t total_files = 0;
    std::uint64_t total_bytes = 0;
    QueuePlace place;
    std::string current_file;
    InfectedFiles infected;  // the first piece, `with_gone`; AskInfectedFiles tells the others
    std::vector<std::string> warnings;
    std::vector<std::string> messages;
    void fields(auto& wire) {
        wire.number(ever_started);
        wire.number(complete);
        wire.number(time_started);
        wire.number(scanned_files);
        wire.number(scanned_bytes);
        wire.number(total_files);
        wire.number(total_bytes);
        place.fields(wire);
        wire.text(current_file, longest_path);
        infected.fields(wire);
        wire.texts(warnings, 64, longest_message);
        wire.texts(messages, 64, longest_message);
    }
};

struct AskScanStatus {
    static constexpr auto type = JobdMessage::AskScanStatus;
    using Answer = ScanStatus;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

struct AskInfectedFiles {
    static constexpr auto type = JobdMessage::AskInfectedFiles;
    using Answer = InfectedFiles;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t after = 0;  // `next` of the previous piece; 0: the first
    bool with_gone = false;   // also files that were disinfected since
    void fields(auto& wire) {
        wire.number(after);
        wire.number(with_gone);
    }
};

struct UnscannedFile {
    std::string path;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

// In the list of a walk.
struct ListPlace {
    std::uint64_t file = 0;    // how many come before
    std::uint64_t offset = 0;  // in bytes
    void fields(auto& wire) {
        wire.number(file);
        wire.number(offset);
    }
};

struct UnscannedFiles {
    static constexpr auto type = JobdMessage::UnscannedFiles;
    std::vector<UnscannedFile> files;
    std::uint64_t scan = 0;  // two pieces of one list have the same
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last. A piece may be empty
    ListPlace place;         // where the next piece begins, too
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(scan);
        wire.number(next);
        place.fields(wire);
    }
};

// The files that the last scan has no verdict on.
struct AskUnscannedFiles {
    static constexpr auto type = JobdMessage::AskUnscannedFiles;
    using Answer = UnscannedFiles;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t after = 0;  // `next` of the previous piece; 0: the first
    ListPlace place;          // the same
    void fields(auto& wire) {
        wire.number(after);
        place.fields(wire);
    }
};

// ---- An account's schedule of scans ---------------------------------------------------------------------------------

// The database stores these values.
enum class ScheduleDay : std::uint8_t {
    Sunday = 0,
    Monday = 1,
    Tuesday = 2,
    Wednesday = 3,
    Thursday = 4,
    Friday = 5,
    Saturday = 6,
    Every = 7,
};

// "monday"; "daily".
[[nodiscard]] constexpr const char* name_of(ScheduleDay day) noexcept {
    constexpr const char* names[] = {"sunday",   "monday", "tuesday",  "wednesday",
                                     "thursday", "friday", "saturday", "daily"};
    return names[static_cast<int>(day)];
}

inline constexpr std::uint8_t last_hour_of_day = 23;

struct Schedule {
    bool on = false;  // the rest counts only then
    ScanType scan_type = ScanType::Home;
    ScheduleDay day = ScheduleDay::Every;
    std::uint8_t hour = 0;  // of local time
    void fields(auto& wire) {
        wire.number(on);
        wire.choice(scan_type, last_scan_type);
        wire.choice(day, ScheduleDay::Every);
        wire.number(hour);
        if (hour > last_hour_of_day) throw Malformed("an hour that no day has");
    }
    bool operator==(const Schedule&) const = default;
};

struct ScheduleStatus {
    static constexpr auto type = JobdMessage::ScheduleStatus;
    bool allowed = false;  // by the administrator; else nothing runs, whatever is set
    Schedule schedule;
    std::int64_t next_time = 0;  // seconds since the epoch; 0: never
    std::string next_local;      // the same in local time, to be read; "": never
    void fields(auto& wire) {
        wire.number(allowed);
        schedule.fields(wire);
        wire.number(next_time);
        wire.text(next_local, 64);
    }
};

struct AskSchedule {
    static constexpr auto type = JobdMessage::AskSchedule;
    using Answer = ScheduleStatus;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

// In place of an earlier one. What weakens that is declined without a good voucher.
struct SetSchedule {
    static constexpr auto type = JobdMessage::SetSchedule;
    using Answer = ScheduleStatus;
    static constexpr auto effect = Effect::Changes;
    Schedule schedule;
    Asker asker = {};
    Voucher voucher = {};
    void fields(auto& wire) {
        schedule.fields(wire);
        asker.fields(wire);
        voucher.fields(wire);
    }
};

// ---- Disinfections --------------------------------------------------------------------------------------------------

struct FileAction {
    std::string path;  // as the client gave it; may lack the leading slash
    Action action = Action::Ignore;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(action, Action::CleanseMailbox);
        if (std::ranges::find(requested_actions, action) == std::end(requested_actions))
            throw Malformed("an action that is none of a disinfection's");
    }
};

struct DisinfectionQueued {
    static constexpr auto type = JobdMessage::DisinfectionQueued;
    std::string task_id;     // 8 hex digits, a slash, 14 hex digits; empty if there is another piece
    std::string log;         // absolute path; the same
    std::uint64_t task = 0;  // to be named with the next piece
    void fields(auto& wire) {
        wire.text(task_id, 23);
        wire.text(log, longest_path);
        wire.number(task);
    }
};

// One piece of the actions of a disinfection, which is queued with the last one. If the next piece does not come soon,
// it comes to nothing. No two actions of one piece may be on the same file, unless they are equal.
struct Disinfect {
    static constexpr auto type = JobdMessage::Disinfect;
    using Answer = DisinfectionQueued;
    static constexpr auto effect = Effect::Changes;
    std::vector<FileAction> actions;
    std::uint64_t task = 0;  // which the answer to the first piece named; 0: this is the first
    bool more = false;       // there is another piece
    Asker asker = {};
    void fields(auto& wire) {
        wire.list(actions, most_actions_in_piece);
        wire.number(task);
        wire.number(more);
        asker.fields(wire);
    }
};

struct DryRun {
    static constexpr auto type = JobdMessage::DryRun;
    std::vector<Record> steps;  // each file once; the id is the number of its action in the question, from 1
    void fields(auto& wire) { wire.list(steps, most_actions_in_piece); }
};

// The steps that a disinfection would take.
struct AskDryRun {
    static constexpr auto type = JobdMessage::AskDryRun;
    using Answer = DryRun;
    static constexpr auto effect = Effect::Reads;
    std::vector<FileAction> actions;
    void fields(auto& wire) { wire.list(actions, most_actions_in_piece); }
};

struct FoundHash {
    static constexpr auto type = JobdMessage::FoundHash;
    std::string sha256;  // "": unknown
    void fields(auto& wire) { wire.text(sha256, 64); }
};

// Of the content that the last scan found under this path.
struct AskFoundHash {
    static constexpr auto type = JobdMessage::AskFoundHash;
    using Answer = FoundHash;
    static constexpr auto effect = Effect::Reads;
    std::string path;
    void fields(auto& wire) { wire.text(path, longest_path); }
};

enum class DisinfectionState : std::uint8_t { None = 0, Queued = 1, Running = 2, Done = 3 };

struct DisinfectionStatus {
    static constexpr auto type = JobdMessage::DisinfectionStatus;
    DisinfectionState state = DisinfectionState::None;
    std::string log;
    std::uint64_t task = 0;       // two pieces of one log have the same
    std::vector<Record> records;  // as many as fit into a piece
    bool more = false;            // there are more
    QueuePlace place;
    std::vector<std::string> warnings;
    void fields(auto& wire) {
        wire.choice(state, DisinfectionState::Done);
        wire.text(log, longest_path);
        wire.number(task);
        wire.list(records, most_entries);
        wire.number(more);
        place.fields(wire);
        wire.texts(warnings, 64, longest_message);
    }
};

struct AskDisinfection {
    static constexpr auto type = JobdMessage::AskDisinfection;
    using Answer = DisinfectionStatus;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t last_id = 0;  // 0: all of it
    void fields(auto& wire) { wire.number(last_id); }
};

// ---- What is ignored although it is infected ------------------------------------------------------------------------

inline constexpr std::size_t longest_ignore_reason = 500;  // bytes
inline constexpr std::size_t most_ignored_in_piece = 50;
inline constexpr std::size_t most_ignored_per_account = 5000;

// Why, by whom and until when something is ignored.
struct Ignoring {
    std::string reason;
    std::int64_t expires_ms = 0;  // since the epoch; 0: never
    Asker asker;
    void fields(auto& wire) {
        wire.text(reason, longest_ignore_reason);
        wire.number(expires_ms);
        asker.fields(wire);
    }
};

struct IgnoredFile {
    std::uint64_t row = 0;  // of the list of what is ignored
    std::string path;       // of a file of the last scan, or the one that was named when it was ignored
    std::string virus;
    std::string sha256;
    bool found = false;          // by the last scan
    bool for_everybody = false;  // by the administrator
    std::int64_t since_ms = 0;   // since the epoch; 0: the administrator has ended it, and the file is found again soon
    Ignoring ignoring;
    void fields(auto& wire) {
        wire.number(row);
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        wire.number(found);
        wire.number(for_everybody);
        wire.number(since_ms);
        ignoring.fields(wire);
    }
};

struct Ignored {
    static constexpr auto type = JobdMessage::Ignored;
    std::vector<IgnoredFile> files;
    std::uint64_t scan = 0;  // two pieces of one list have the same
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last. A piece may be empty
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(scan);
        wire.number(next);
    }
};

// The files of the last scan that are infected and ignored; then what is ignored and was not met there.
struct AskIgnored {
    static constexpr auto type = JobdMessage::AskIgnored;
    using Answer = Ignored;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t after = 0;  // `next` of the previous piece; 0: the first
    void fields(auto& wire) { wire.number(after); }
};

enum class IgnoreResult : std::uint8_t { Ignored = 0, NoFind = 1, UnknownContent = 2, TooMany = 3 };

struct FilesIgnored {
    static constexpr auto type = JobdMessage::FilesIgnored;
    struct Result {
        IgnoreResult result = IgnoreResult::NoFind;
        void fields(auto& wire) { wire.choice(result, IgnoreResult::TooMany); }
    };
    std::vector<Result> results;  // of each path, in the order of the question
    void fields(auto& wire) { wire.list(results, most_ignored_in_piece); }
};

// Ignores the contents that the last scan found under these paths, each with the signature by which it was found.
// Declined without a good voucher.
struct IgnoreFiles {
    static constexpr auto type = JobdMessage::IgnoreFiles;
    using Answer = FilesIgnored;
    static constexpr auto effect = Effect::Changes;
    std::vector<std::string> paths;
    Ignoring ignoring;
    bool continues = false;  // the last question, which ignored some: for the account's history they are one
    Voucher voucher;
    void fields(auto& wire) {
        wire.texts(paths, most_ignored_in_piece, longest_path);
        ignoring.fields(wire);
        wire.number(continues);
        voucher.fields(wire);
    }
};

enum class UnignoreResult : std::uint8_t { Ended = 0, NoSuchRow = 1, Administrators = 2 };

struct FilesUnignored {
    static constexpr auto type = JobdMessage::FilesUnignored;
    struct Result {
        UnignoreResult result = UnignoreResult::NoSuchRow;
        void fields(auto& wire) { wire.choice(result, UnignoreResult::Administrators); }
    };
    std::vector<Result> results;  // of each row, in the order of the question
    void fields(auto& wire) { wire.list(results, most_ignored_in_piece); }
};

struct UnignoreFiles {
    static constexpr auto type = JobdMessage::UnignoreFiles;
    using Answer = FilesUnignored;
    static constexpr auto effect = Effect::Changes;
    struct RowId {
        std::uint64_t row = 0;
        void fields(auto& wire) { wire.number(row); }
    };
    std::vector<RowId> rows;
    bool continues = false;  // as in IgnoreFiles
    Asker asker = {};
    void fields(auto& wire) {
        wire.list(rows, most_ignored_in_piece);
        wire.number(continues);
        asker.fields(wire);
    }
};

// ---- Notices: where an owner's mails go
// ------------------------------------------------------------------------------

inline constexpr std::size_t longest_confirmation_code = 32;

struct Notifications {
    static constexpr auto type = JobdMessage::Notifications;
    bool enabled = true;
    std::string address;                 // "": the account's mailbox on this host
    std::string unconfirmed;             // an address that counts once its code has come; "" for none
    std::uint64_t most_mails_a_day = 0;  // 0: the administrator has switched all of them off
    void fields(auto& wire) {
        wire.number(enabled);
        wire.text(address, longest_mail_address);
        wire.text(unconfirmed, longest_mail_address);
        wire.number(most_mails_a_day);
    }
};

struct AskNotifications {
    static constexpr auto type = JobdMessage::AskNotifications;
    using Answer = Notifications;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

// Declined without a good voucher: whoever has infected an account would like its owner not to hear of it. A new
// address gets a code by mail, and counts once ConfirmNotifications has brought it.
struct SetNotifications {
    static constexpr auto type = JobdMessage::SetNotifications;
    using Answer = Notifications;
    static constexpr auto effect = Effect::Changes;
    bool sets_address = false;
    std::string address;  // "": the account's mailbox on this host
    bool sets_enabled = false;
    bool enabled = true;
    Asker asker = {};
    Voucher voucher = {};
    void fields(auto& wire) {
        wire.number(sets_address);
        wire.text(address, longest_mail_address);
        wire.number(sets_enabled);
        wire.number(enabled);
        asker.fields(wire);
        voucher.fields(wire);
    }
};

struct ConfirmNotifications {
    static constexpr auto type = JobdMessage::ConfirmNotifications;
    using Answer = Notifications;
    static constexpr auto effect = Effect::Changes;
    std::string code;
    Asker asker = {};
    void fields(auto& wire) {
        wire.text(code, longest_confirmation_code);
        asker.fields(wire);
    }
};

// ---- Notices: from the outbox to clamscanner-notifyd
// -------------------------------------------------------------------

// The database stores these values.
enum class NoticeKind : std::uint8_t {
    // Mails
    Finds = 0,           // to an owner: what was found that no mail has told yet; without `finds`, if refused for them
    ConfirmAddress = 1,  // to a new address: `text` is its code
    AddressChanged = 2,  // to the old address: `text` is the new one, "" for the mailbox on this host
    SwitchedOff = 3,     // to the address that gets no more of them
    Digest = 4,          // to the administrator
    // Events, for the administrator's hook
    ScanEnded = 5,        // `text`: how; `detail`: its type
    SystemScanEnded = 6,  // `text`: how
    Find = 7,
    Disinfected = 8,  // `text`: how it ended
    Brake = 9,        // `text`: why; `detail`: the signature
    Signatures = 10,  // `text`: what is wrong with them
    LeftOut = 11,     // events that did not fit into the outbox, counted by name
};
inline constexpr auto last_notice_kind = NoticeKind::LeftOut;

// Each is worked off by itself, so that what keeps one waiting does not keep the other.
enum class NoticeChannel : std::uint8_t { Mails = 0, Hook = 1 };
[[nodiscard]] constexpr NoticeChannel channel_of(NoticeKind kind) noexcept {
    return kind <= NoticeKind::Digest ? NoticeChannel::Mails : NoticeChannel::Hook;
}

inline constexpr std::size_t most_noticed_finds = 50;
inline constexpr std::size_t most_figures = 200;
inline constexpr std::size_t longest_figure_name = 1024;

struct NoticedFind {
    std::string path;
    std::string virus;
    std::int64_t found_ms = 0;  // since the epoch
    bool settled = false;       // something was done since: `state` says what
    RecordState state = RecordState::NoAction;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.number(found_ms);
        wire.number(settled);
        wire.choice(state, last_record_state);
    }
};

struct NoticeFigure {
    std::string name;
    std::uint64_t number = 0;
    void fields(auto& wire) {
        wire.text(name, longest_figure_name);
        wire.number(number);
    }
};

struct Notice {
    static constexpr auto type = JobdMessage::Notice;
    std::uint64_t id = 0;  // 0: there is none now
    NoticeKind kind = NoticeKind::Finds;
    std::int64_t created_ms = 0;  // since the epoch; the same whenever it is fetched, as all of it is
    std::uint64_t task = 0;
    std::string account;  // its name; "" of what concerns the host
    std::uint32_t uid = 0;
    std::string address;  // where a mail goes; "": the account's mailbox on this host
    std::string text;
    std::string detail;
    std::uint64_t find_count = 0;
    std::vector<NoticedFind> finds;  // the first of them
    std::vector<NoticeFigure> figures;
    void fields(auto& wire) {
        wire.number(id);
        wire.choice(kind, last_notice_kind);
        wire.number(created_ms);
        wire.number(task);
        wire.text(account, longest_user_name);
        wire.number(uid);
        wire.text(address, longest_mail_address);
        wire.text(text, longest_message);
        wire.text(detail, longest_message);
        wire.number(find_count);
        wire.list(finds, most_noticed_finds);
        wire.list(figures, most_figures);
    }
};

// The first notice of a channel that is due; it stays until it is settled. From notifications.user alone.
struct FetchNotice {
    static constexpr auto type = JobdMessage::FetchNotice;
    using Answer = Notice;
    static constexpr auto effect = Effect::Changes;
    NoticeChannel channel = NoticeChannel::Mails;
    void fields(auto& wire) { wire.choice(channel, NoticeChannel::Hook); }
};

enum class Delivered : std::uint8_t {
    Yes = 0,
    Refused = 1,  // for good, by the mail server
    NotNow = 2,   // for now, by the mail server or by the hook: others come first
};

struct SettleNotice {
    static constexpr auto type = JobdMessage::SettleNotice;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    std::uint64_t id = 0;
    Delivered delivered = Delivered::Yes;
    void fields(auto& wire) {
        wire.number(id);
        wire.choice(delivered, Delivered::NotNow);
    }
};

// ---- The quarantine -------------------------------------------------------------------------------------------------

struct QuarantinedFile {
    std::string id;  // its opaque name
    std::string path;
    std::string virus;
    std::string sha256;
    std::uint64_t size = 0;
    std::int64_t time_ms = 0;  // since the epoch
    bool clean = false;        // according to the signatures of the latest scan
    void fields(auto& wire) {
        wire.text(id, 32);
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        wire.number(size);
        wire.number(time_ms);
        wire.number(clean);
    }
};

struct QuarantinedFiles {
    static constexpr auto type = JobdMessage::QuarantinedFiles;
    std::vector<QuarantinedFile> files;
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(next);
    }
};

struct AskQuarantinedFiles {
    static constexpr auto type = JobdMessage::AskQuarantinedFiles;
    using Answer = QuarantinedFiles;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t after = 0;  // `next` of the previous piece; 0: the first
    void fields(auto& wire) { wire.number(after); }
};

struct QuarantineQueued {
    static constexpr auto type = JobdMessage::QuarantineQueued;
    std::uint64_t task = 0;
    void fields(auto& wire) { wire.number(task); }
};

// Restores or deletes quarantined files, given by their opaque names. In pieces, as Disinfect.
struct ChangeQuarantine {
    static constexpr auto type = JobdMessage::ChangeQuarantine;
    using Answer = QuarantineQueued;
    static constexpr auto effect = Effect::Changes;
    bool restore = false;  // false: delete for good
    std::vector<std::string> ids;
    std::uint64_t task = 0;
    bool more = false;
    Asker asker = {};
    void fields(auto& wire) {
        wire.number(restore);
        wire.texts(ids, most_actions_in_piece, 32);
        wire.number(task);
        wire.number(more);
        asker.fields(wire);
    }
};

struct ChangedFile {
    std::string id;
    std::string path;  // empty: there is no file with this id
    bool done = false;
    RecordState state = RecordState::Error;  // when done: Restored, Deleted or Error
    std::string message;
    void fields(auto& wire) {
        wire.text(id, 32);
        wire.text(path, longest_path);
        wire.number(done);
        wire.choice(state, last_record_state);
        wire.text(message, longest_message);
    }
};

struct QuarantineChange {
    static constexpr auto type = JobdMessage::QuarantineChange;
    bool ended = false;
    std::vector<ChangedFile> files;  // in the order of the request
    std::uint64_t next = 0;          // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.number(ended);
        wire.list(files, most_actions);
        wire.number(next);
    }
};

struct AskQuarantineChange {
    static constexpr auto type = JobdMessage::AskQuarantineChange;
    using Answer = QuarantineChange;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t task = 0;
    std::uint64_t after = 0;  // `next` of the previous piece; 0: the first; nothing_after: whether it has ended, only
    static constexpr std::uint64_t nothing_after = INT64_MAX;
    void fields(auto& wire) {
        wire.number(task);
        wire.number(after);
    }
};

// ---- An account's own trail
// ------------------------------------------------------------------------------------------

enum class TaskPhase : std::uint8_t { Queued = 0, Running = 1, Completed = 2, EndedEarly = 3, Cancelled = 4 };
// "ended early".
[[nodiscard]] constexpr const char* name_of(TaskPhase phase) noexcept {
    constexpr const char* names[] = {"queued", "running", "completed", "ended early", "cancelled"};
    return names[static_cast<int>(phase)];
}

// What was asked for: a task (TaskKind in task.h), or a change that was made at once. The database stores these values.
enum class AskedFor : std::uint8_t {
    Scan = 0,
    Disinfection = 1,
    Restoration = 2,
    Preparation = 3,  // in no history
    IgnoreFiles = 4,
    UnignoreFiles = 5,
    SetSchedule = 6,
    SetNotifications = 7,
    ConfirmNotifications = 8,
};
inline constexpr auto last_asked_for = AskedFor::ConfirmNotifications;
// A change is named as the function of the API.
[[nodiscard]] constexpr const char* name_of(AskedFor what) noexcept {
    constexpr const char* names[] = {"scan",         "disinfection",      "restoration",
                                     "preparation",  "ignore_files",      "unignore_files",
                                     "set_schedule", "set_notifications", "confirm_notifications"};
    return names[static_cast<int>(what)];
}

struct HistoryEntry {
    std::uint64_t id = 0;
    AskedFor what = AskedFor::Scan;
    ScanType scan_type = ScanType::Home;  // of a scan
    Asker asker;
    std::int64_t asked_ms = 0;  // since the epoch
    std::int64_t ended_ms = 0;  // 0: it has not ended
    TaskPhase phase = TaskPhase::Queued;
    std::string why;          // it ended early or waits; of a change: what it is
    std::uint64_t files = 0;  // of a change: that were named, or 0
    std::uint64_t infected = 0;
    std::uint64_t ignored = 0;
    std::uint64_t unscanned = 0;
    struct Steps {
        RecordState state = RecordState::Error;
        std::uint64_t files = 0;
        void fields(auto& wire) {
            wire.choice(state, last_record_state);
            wire.number(files);
        }
    };
    std::vector<Steps> steps;  // of a disinfection or restoration: how many ended how
    void fields(auto& wire) {
        wire.number(id);
        wire.choice(what, last_asked_for);
        wire.choice(scan_type, last_scan_type);
        asker.fields(wire);
        wire.number(asked_ms);
        wire.number(ended_ms);
        wire.choice(phase, TaskPhase::Cancelled);
        wire.text(why, longest_message);
        wire.number(files);
        wire.number(infected);
        wire.number(ignored);
        wire.number(unscanned);
        wire.list(steps, static_cast<std::size_t>(last_record_state) + 1);
    }
};

inline constexpr std::size_t most_history_entries = 500;  // in a piece

struct History {
    static constexpr auto type = JobdMessage::History;
    std::vector<HistoryEntry> entries;  // the latest first
    std::uint64_t next = 0;             // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.list(entries, most_history_entries);
        wire.number(next);
    }
};

struct AskHistory {
    static constexpr auto type = JobdMessage::AskHistory;
    using Answer = History;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t after = 0;  // `next` of the previous piece; 0: the first
    void fields(auto& wire) { wire.number(after); }
};

// ---- Statistics: of an account's own scans, or of the whole host's for a host user (jobs.host_users) ----------------

struct Host {
    std::string name;
    std::string uuid;  // in the format of RFC 9562; created with the database, so it identifies this installation
    void fields(auto& wire) {
        wire.text(name, 256);
        wire.text(uuid, 36);
    }
};

// The phase of a scan as the statistics show it.
enum class ScanPhase : std::uint8_t { Queued = 0, Running = 1, Completed = 2, EndedEarly = 3 };

struct ScanTask {
    std::string id;  // 32 lower-case hex digits
    bool system = false;
    std::vector<std::string> paths;  // absolute; empty for a system scan
    std::int64_t created_ms = 0;     // since the epoch
    std::int64_t ended_ms = 0;       // 0: it has not ended
    ScanPhase phase = ScanPhase::Queued;
    std::uint32_t percent = 0;  // 100 only when it has ended; 0 while the total is unknown
    std::uint64_t infected_files = 0;
    RiskLevel risk = RiskLevel::None;  // the highest of its finds
    bool proves_nothing = false;  // it had only the test signatures, files are ignored, or the scanner failed on files:
                                  // not safe if clean
    void fields(auto& wire) {
        wire.text(id, 32);
        wire.number(system);
        wire.texts(paths, scan_type_count, longest_path);
        wire.number(created_ms);
        wire.number(ended_ms);
        wire.choice(phase, ScanPhase::EndedEarly);
        wire.number(percent);
        wire.number(infected_files);
        wire.choice(risk, RiskLevel::High);
        wire.number(proves_nothing);
    }
};

struct ScanStatistics {
    static constexpr auto type = JobdMessage::ScanStatistics;
    Host host;
    bool ever_scanned = false;
    ScanTask latest;
    void fields(auto& wire) {
        host.fields(wire);
        wire.number(ever_scanned);
        latest.fields(wire);
    }
};

// The statistics of an account's own scans, or of the whole host for a host user.
struct AskStatistics {
    static constexpr auto type = JobdMessage::AskStatistics;
    using Answer = ScanStatistics;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

struct ScanFilter {
    std::string task_id;                      // "": any
    std::uint8_t system = 2;                  // 0: the user's, 1: the system's, 2: any
    std::uint8_t phases = 15;                 // one bit for each ScanPhase
    std::int64_t created_from_ms = 0;         // created then or later
    std::int64_t ended_until_ms = INT64_MAX;  // and ended then or earlier, or not yet
    void fields(auto& wire) {
        wire.text(task_id, 32);
        wire.number(system);
        wire.number(phases);
        wire.number(created_from_ms);
        wire.number(ended_until_ms);
    }
};

inline constexpr std::uint64_t longest_page = 1000;

struct ScanTasks {
    static constexpr auto type = JobdMessage::ScanTasks;
    Host host;
    std::uint64_t total = 0;
    std::vector<ScanTask> tasks;
    void fields(auto& wire) {
        host.fields(wire);
        wire.number(total);
        wire.list(tasks, longest_page);
    }
};

// One page, the latest scan first.
struct AskScanTasks {
    static constexpr auto type = JobdMessage::AskScanTasks;
    using Answer = ScanTasks;
    static constexpr auto effect = Effect::Reads;
    ScanFilter filter;
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        filter.fields(wire);
        wire.number(offset);
        wire.number(limit);
    }
};

struct ScanEvent {
    std::uint64_t id = 0;
    std::string path;
    std::string virus;
    std::int64_t found_ms = 0;
    void fields(auto& wire) {
        wire.number(id);
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.number(found_ms);
    }
};

struct ScanEvents {
    static constexpr auto type = JobdMessage::ScanEvents;
    Host host;
    std::uint64_t total = 0;
    std::vector<ScanEvent> events;
    void fields(auto& wire) {
        host.fields(wire);
        wire.number(total);
        wire.list(events, longest_page);
    }
};

// One page of the latest scan's finds, in the order found.
struct AskScanEvents {
    static constexpr auto type = JobdMessage::AskScanEvents;
    using Answer = ScanEvents;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        wire.number(offset);
        wire.number(limit);
    }
};

// ---- The administrator: how far the scan of all accounts is
// ----------------------------------------------------------

struct SystemScanProgress {
    static constexpr auto type = JobdMessage::SystemScanProgress;
    bool ever = false;            // there was one; the rest is of the latest
    std::int64_t started_ms = 0;  // since the epoch
    std::int64_t ended_ms = 0;    // 0: it is under way
    std::uint64_t accounts = 0;   // to be scanned
    std::uint64_t waiting = 0;    // of these: not queued yet
    std::uint64_t left_out = 0;   // gone, or never free
    std::uint64_t running = 0;
    std::uint64_t ended = 0;
    std::uint64_t not_completed = 0;  // of those that have ended
    std::uint64_t total_files = 0;    // as far as they are known
    std::uint64_t scanned_files = 0;
    std::uint64_t infected_files = 0;
    std::uint64_t ignored_files = 0;
    std::uint64_t unscanned_files = 0;
    std::uint64_t id = 0;  // two scans have different ones
    bool cancelled = false;
    struct Unscanned {
        UnscannedReason reason = UnscannedReason::ScannerFailed;
        std::uint64_t files = 0;
        void fields(auto& wire) {
            wire.choice(reason, last_unscanned_reason);
            wire.number(files);
        }
    };
    std::vector<Unscanned> by_reason;  // of the accounts that are done
    void fields(auto& wire) {
        wire.number(id);
        wire.number(cancelled);
        wire.list(by_reason, static_cast<std::size_t>(last_unscanned_reason) + 1);
        wire.number(ever);
        wire.number(started_ms);
        wire.number(ended_ms);
        for (auto* number : {&accounts, &waiting, &left_out, &running, &ended, &not_completed, &total_files,
                             &scanned_files, &infected_files, &ignored_files, &unscanned_files})
            wire.number(*number);
    }
};

struct AskSystemScan {
    static constexpr auto type = JobdMessage::AskSystemScan;
    using Answer = SystemScanProgress;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

// The accounts that have not begun are left out, and the scans of the others cancelled.
struct CancelSystemScan {
    static constexpr auto type = JobdMessage::CancelSystemScan;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    void fields(auto&) {}
};

// ---- The administrator: what was found, in all accounts -------------------------------------------------------------

struct FindOfAccount {
    std::uint64_t account = 0;  // jobd's number
    std::string name;
    std::string path;
    std::string virus;
    FindFacts facts = {};
    void fields(auto& wire) {
        wire.number(account);
        wire.text(name, longest_user_name);
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        facts.fields(wire);
    }
};

struct AllFinds {
    static constexpr auto type = JobdMessage::AllFinds;
    std::vector<FindOfAccount> finds;
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last. A piece may be empty
    void fields(auto& wire) {
        wire.list(finds, most_entries);
        wire.number(next);
    }
};

// What each account's last scan found, and is there still.
struct AskAllFinds {
    static constexpr auto type = JobdMessage::AskAllFinds;
    using Answer = AllFinds;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t after = 0;
    std::string signature;  // "": whichever
    void fields(auto& wire) {
        wire.number(after);
        wire.text(signature, longest_virus_name);
    }
};

struct FindsQueued {
    static constexpr auto type = JobdMessage::FindsQueued;
    std::uint64_t task = 0;   // to be named with the next piece
    std::uint64_t after = 0;  // the same; 0: all are queued
    std::uint64_t files = 0;  // in this piece
    void fields(auto& wire) {
        wire.number(task);
        wire.number(after);
        wire.number(files);
    }
};

// Queues a disinfection of that account, as its owner would: it quarantines what its last scan found by this signature.
// Piece by piece. If the next piece is not asked for soon, it comes to nothing.
struct QuarantineFinds {
    static constexpr auto type = JobdMessage::QuarantineFinds;
    using Answer = FindsQueued;
    static constexpr auto effect = Effect::Changes;
    std::uint64_t account = 0;
    std::string signature;
    std::uint64_t task = 0;  // 0: this is the first piece
    std::uint64_t after = 0;
    void fields(auto& wire) {
        wire.number(account);
        wire.text(signature, longest_virus_name);
        wire.number(task);
        wire.number(after);
    }
};

struct TaskReport {
    static constexpr auto type = JobdMessage::TaskReport;
    bool known = false;
    HistoryEntry entry;
    void fields(auto& wire) {
        wire.number(known);
        entry.fields(wire);
    }
};

// What became of a task.
struct AskTask {
    static constexpr auto type = JobdMessage::AskTask;
    using Answer = TaskReport;
    static constexpr auto effect = Effect::Reads;
    std::uint64_t task = 0;
    void fields(auto& wire) { wire.number(task); }
};

// ---- The administrator: what is ignored in all accounts -------------------------------------------------------------

inline constexpr std::size_t longest_pattern = 256;

// By content, by signature, or both; or by signature and path.
struct IgnoredEverywhere {
    std::uint64_t id = 0;
    std::string virus;    // "": any
    std::string sha256;   // "": any
    std::string pattern;  // of paths relative to a home (fits() in ignore_list.h); "": any
    std::string reason;
    std::int64_t created_ms = 0;  // since the epoch
    std::int64_t expires_ms = 0;  // the same; 0: never
    void fields(auto& wire) {
        wire.number(id);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        wire.text(pattern, longest_pattern);
        wire.text(reason, longest_ignore_reason);
        wire.number(created_ms);
        wire.number(expires_ms);
    }
};

struct AllIgnoredEverywhere {
    static constexpr auto type = JobdMessage::AllIgnoredEverywhere;
    std::vector<IgnoredEverywhere> rows;
    void fields(auto& wire) { wire.list(rows, most_entries); }
};

struct AskIgnoredEverywhere {
    static constexpr auto type = JobdMessage::AskIgnoredEverywhere;
    using Answer = AllIgnoredEverywhere;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

// From the next find on.
struct IgnoreEverywhere {
    static constexpr auto type = JobdMessage::IgnoreEverywhere;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    IgnoredEverywhere what;  // without id and creation
    void fields(auto& wire) { what.fields(wire); }
};

struct UnignoreEverywhere {
    static constexpr auto type = JobdMessage::UnignoreEverywhere;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    std::uint64_t id = 0;
    void fields(auto& wire) { wire.number(id); }
};

// ---- The administrator: how the service is --------------------------------------------------------------------------

struct ServiceReport {
    static constexpr auto type = JobdMessage::ServiceReport;
    struct Job {
        std::string account;
        AskedFor what = AskedFor::Scan;
        std::uint64_t done_files = 0;
        std::uint64_t all_files = 0;  // as far as they are known
        std::uint64_t seconds = 0;    // of this turn
        void fields(auto& wire) {
            wire.text(account, longest_user_name);
            wire.choice(what, AskedFor::Restoration);
            wire.number(done_files);
            wire.number(all_files);
            wire.number(seconds);
        }
    };
    struct Failure {
        std::string account;
        AskedFor what = AskedFor::Scan;
        std::int64_t ended_ms = 0;  // since the epoch
        std::string why;
        void fields(auto& wire) {
            wire.text(account, longest_user_name);
            wire.choice(what, AskedFor::Restoration);
            wire.number(ended_ms);
            wire.text(why, longest_message);
        }
    };
    std::vector<Job> running;
    std::uint64_t waiting = 0;
    std::uint64_t longest_wait_seconds = 0;
    std::uint64_t held_signatures = 0;
    std::uint64_t database_bytes = 0;
    std::uint64_t quarantined_files = 0;
    std::uint64_t quarantined_bytes = 0;
    std::vector<Failure> failures;  // the latest jobs that ended early, the last first
    void fields(auto& wire) {
        wire.list(running, 10'000);
        for (auto* number : {&waiting, &longest_wait_seconds, &held_signatures, &database_bytes, &quarantined_files,
                             &quarantined_bytes})
            wire.number(*number);
        wire.list(failures, 10);
    }
};

struct AskService {
    static constexpr auto type = JobdMessage::AskService;
    using Answer = ServiceReport;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

// ---- The administrator: signatures for which no file is deleted (brake.h) -------------------------------------------

struct HeldSignature {
    std::string signature;
    std::string why;
    std::int64_t since_ms = 0;  // since the epoch
    bool allowed = false;       // by the administrator, so it is no longer held
    void fields(auto& wire) {
        wire.text(signature, longest_virus_name);
        wire.text(why, longest_message);
        wire.number(since_ms);
        wire.number(allowed);
    }
};

struct HeldSignatures {
    static constexpr auto type = JobdMessage::HeldSignatures;
    std::vector<HeldSignature> signatures;
    void fields(auto& wire) { wire.list(signatures, most_entries); }
};

// Signatures for which no file is deleted (brake.h).
struct AskHeldSignatures {
    static constexpr auto type = JobdMessage::AskHeldSignatures;
    using Answer = HeldSignatures;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

struct AllowSignature {
    static constexpr auto type = JobdMessage::AllowSignature;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    std::string signature;
    void fields(auto& wire) { wire.text(signature, longest_virus_name); }
};

}  // namespace clamscanner
