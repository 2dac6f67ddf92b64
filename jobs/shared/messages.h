// What may be said to jobd and to the engine, and between the parts of one job. Who may say it is decided by the socket
// it comes on: an agent's user is attested by the kernel, a runner's and a coordinator's end were made by jobd.
//
//   agent ── StartScan, Ask…, Disinfect ──► jobd ── Accepted, Declined, ScanStatus … ──► agent       (stream, frames)
//   jobd ── NewJob (+ the coordinator's end of a socket to the runner) ──► engine                    (packets)
//   coordinator ── ScannerReady, ScanProgress, Found…, Judged, ScannedAll ──► jobd ── EndTurn ──►    (same socket)
//   jobd ── Run…, Judge, Act, Copy…, Finish ──► runner ── WalkProgress … CopyDone ──► jobd           (packets)
//   runner ── HandOver (+ the file, opened for reading), NotHandedOver ──► coordinator               (packets)
//   coordinator ── ScanThis (+ the file) ──► worker ── ScanAnswer ──► coordinator                    (packets)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "auth/authd/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// From 40 on, of all message numbers (auth/authd/messages.h): agents 40 and 110, the administrator 130, runners 60 and
// 120, engine 80, workers 100.
enum class JobMessage : std::uint16_t {
    StartScan = 40,
    AskScanStatus,
    AskInfectedFiles,
    Disinfect,
    AskDisinfection,
    AskStatistics,
    AskScanTasks,
    AskScanEvents,
    StartSystemScan,
    CancelScan,
    Accepted = 50,
    Declined,
    ScanStatus,
    InfectedFiles,
    DisinfectionQueued,
    DisinfectionStatus,
    ScanStatistics,
    ScanTasks,
    ScanEvents,
    RunScan = 60,
    LeaveOut,
    UseCoordinator,
    RunLogCopy,
    Judge,
    Act,
    CopyBegin,
    CopyLine,
    CopyEnd,
    Finish,
    WalkProgress = 70,
    Unreadable,
    WalkFailed,
    HandedOver,
    NotOpened,
    Opened,
    Acted,
    CopyDone,
    NewJob = 80,
    ScannerReady = 81,
    ScannerFailed,
    ScanProgress,
    FoundInfected,
    FoundUnscanned,
    Judged,
    ScannedAll,
    JobEnded,
    EndTurn = 90,
    TurnEnded,
    SignaturesLoaded,
    SignaturesChanged,
    SignaturesBroken,
    HandOver = 95,
    HandOverEnd,
    NotHandedOver,
    ScanThis = 100,
    ScanAnswer,
    AskUnscannedFiles = 110,
    UnscannedFiles,
    AskQuarantinedFiles,
    QuarantinedFiles,
    ChangeQuarantine,
    QuarantineQueued,
    AskQuarantineChange,
    QuarantineChange,
    AskDryRun,
    DryRun,
    JudgeMessages = 120,
    CutMessage,
    MessagesHandedOver,
    Saved,
    StillWaiting,
    JudgeMoved,
    AskHeldSignatures = 130,
    HeldSignatures,
    AllowSignature,
};

inline constexpr std::size_t longest_path = 64 * 1024;  // deeper trees are reported by their unreadable directory
inline constexpr std::size_t longest_message = 1024;
inline constexpr std::size_t longest_virus_name = 256;
inline constexpr std::size_t most_actions = 500'000;
inline constexpr std::size_t most_entries = 2'000'000;
inline constexpr std::size_t longest_jobs_question = 24 * 1024 * 1024;
// An answer holds at most `answer_budget` bytes of JSON: jobd counts the bytes of its texts against it.
inline constexpr std::size_t answer_budget = 32 * 1024 * 1024;
inline constexpr std::size_t longest_jobs_answer = answer_budget + 1024 * 1024;

// ---- The vocabulary of jobs. The order is the database's: only ever appended to. -----------------------------------

enum class Action : std::uint8_t {
    Ignore = 0,
    Delete = 1,
    Quarantine = 2,
    Restore = 3,  // from the quarantine
    Discard = 4,  // what is there
};

enum class RecordType : std::uint8_t { Step = 0, Issue = 1, Done = 2 };

enum class RecordState : std::uint8_t {
    Deleted = 0,
    Quarantined = 1,
    NoAction = 2,
    MailboxCleansed = 3,
    Error = 4,
    Warning = 5,
    Success = 6,
    Info = 7,
    Restored = 8,
};
inline constexpr auto last_record_state = RecordState::Restored;

enum class UnscannedReason : std::uint8_t {
    Unreadable = 0,
    TooLarge = 1,
    LimitExceeded = 2,
    TimeLimit = 3,
    Encrypted = 4,
    Vanished = 5,
    Damaged = 6,
    ScannerFailed = 7,
    Cancelled = 8,
    OtherFileSystem = 9,
};
inline constexpr auto last_unscanned_reason = UnscannedReason::OtherFileSystem;

[[nodiscard]] const char* name_of(Action action) noexcept;
[[nodiscard]] const char* name_of(RecordType type) noexcept;
[[nodiscard]] const char* name_of(RecordState state) noexcept;
// For people: "could not be read (no permission)".
[[nodiscard]] const char* text_of(UnscannedReason reason) noexcept;
// For programs: "unreadable".
[[nodiscard]] const char* word_for(UnscannedReason reason) noexcept;

// Which file it is, beyond its name: what was scanned and what is acted on must agree in all of it.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    void fields(auto& wire) {
        wire.number(device);
        wire.number(inode);
        wire.number(size);
        wire.number(mtime_ns);
    }
    bool operator==(const FileIdentity&) const = default;
};

struct ExtendedAttribute {
    std::string name;
    std::string value;
    void fields(auto& wire) {
        wire.text(name, 255);
        wire.text(value, 64 * 1024);
    }
};
inline constexpr std::size_t most_attribute_bytes = 64 * 1024;
inline constexpr std::size_t most_attributes = 256;

// What a file has beyond its content: all it takes to put it back as it was. jobd keeps it; the JSON record beside a
// quarantined file is for the owner's eyes.
struct FileMetadata {
    std::uint32_t owner = 0;
    std::uint32_t group = 0;
    std::uint32_t mode = 0;  // permission bits
    std::int64_t atime_ns = 0;
    std::vector<ExtendedAttribute> attributes;
    void fields(auto& wire) {
        wire.number(owner);
        wire.number(group);
        wire.number(mode);
        wire.number(atime_ns);
        wire.list(attributes, most_attributes);
    }
};

// One record of a disinfection's log.
struct Record {
    std::uint64_t id = 0;
    RecordType type = RecordType::Step;
    RecordState state = RecordState::Error;
    std::string file;  // of a step; bytes as the file system has them
    std::string message;
    void fields(auto& wire) {
        wire.number(id);
        wire.choice(type, RecordType::Done);
        wire.choice(state, last_record_state);
        wire.text(file, longest_path);
        wire.text(message, longest_message);
    }
};

// ---- Agents ask jobd -----------------------------------------------------------------------------------------------

struct StartScan {
    static constexpr auto type = JobMessage::StartScan;
    ScanType scan_type = ScanType::Home;
    bool as_system = false;  // how the statistics are to call it: "system" instead of "user"
    bool full = false;       // reads also the files that are known to be clean
    void fields(auto& wire) {
        wire.choice(scan_type, ScanType::PublicFtp);
        wire.number(as_system);
        wire.number(full);
    }
};

// Of all these accounts, one job each. Only for host users (jobs.host_users) and for jobd's own user.
struct StartSystemScan {
    static constexpr auto type = JobMessage::StartSystemScan;
    struct Uid {
        std::uint32_t uid = 0;
        void fields(auto& wire) { wire.number(uid); }
    };
    std::vector<Uid> accounts;
    void fields(auto& wire) { wire.list(accounts, most_actions); }
};

struct AskScanStatus {
    static constexpr auto type = JobMessage::AskScanStatus;
    void fields(auto&) {}
};

struct AskInfectedFiles {
    static constexpr auto type = JobMessage::AskInfectedFiles;
    std::uint64_t after = 0;  // what `next` of the piece before was
    void fields(auto& wire) { wire.number(after); }
};

struct FileAction {
    std::string path;  // as asked, which may lack the leading slash
    Action action = Action::Ignore;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(action, Action::Quarantine);
    }
};

struct Disinfect {
    static constexpr auto type = JobMessage::Disinfect;
    std::vector<FileAction> actions;
    void fields(auto& wire) { wire.list(actions, most_actions); }
};

// The statistics of the asker's scope: an account's own scans, or those of the whole host for a host user.
struct AskStatistics {
    static constexpr auto type = JobMessage::AskStatistics;
    void fields(auto&) {}
};

// How a scan is known to clients of the statistics.
enum class ScanPhase : std::uint8_t { Queued = 0, Running = 1, Completed = 2, EndedEarly = 3 };

struct ScanFilter {
    std::string task_id;                      // "": any
    std::uint8_t system = 2;                  // 0: the user's, 1: the system's, 2: any
    std::uint8_t phases = 15;                 // one bit for each ScanPhase
    std::int64_t created_from_ms = 0;         // created then or later
    std::int64_t ended_until_ms = INT64_MAX;  // and not ended later
    void fields(auto& wire) {
        wire.text(task_id, 32);
        wire.number(system);
        wire.number(phases);
        wire.number(created_from_ms);
        wire.number(ended_until_ms);
    }
};

inline constexpr std::uint64_t longest_page = 1000;

// One page, the latest scan first.
struct AskScanTasks {
    static constexpr auto type = JobMessage::AskScanTasks;
    ScanFilter filter;
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        filter.fields(wire);
        wire.number(offset);
        wire.number(limit);
    }
};

// One page of what the latest scan found, the first found first.
struct AskScanEvents {
    static constexpr auto type = JobMessage::AskScanEvents;
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        wire.number(offset);
        wire.number(limit);
    }
};

struct AskDisinfection {
    static constexpr auto type = JobMessage::AskDisinfection;
    std::uint64_t last_id = 0;  // 0: all of it
    void fields(auto& wire) { wire.number(last_id); }
};

struct CancelScan {
    static constexpr auto type = JobMessage::CancelScan;
    void fields(auto&) {}
};

// What the last scan has no verdict on.
struct AskUnscannedFiles {
    static constexpr auto type = JobMessage::AskUnscannedFiles;
    std::uint64_t after = 0;  // what `next` of the piece before was
    void fields(auto& wire) { wire.number(after); }
};

struct AskQuarantinedFiles {
    static constexpr auto type = JobMessage::AskQuarantinedFiles;
    std::uint64_t after = 0;  // what `next` of the piece before was
    void fields(auto& wire) { wire.number(after); }
};

// Of what is in the quarantine, by their opaque names.
struct ChangeQuarantine {
    static constexpr auto type = JobMessage::ChangeQuarantine;
    bool restore = false;  // else deleted for good
    std::vector<std::string> ids;
    void fields(auto& wire) {
        wire.number(restore);
        wire.texts(ids, most_actions, 32);
    }
};

struct AskQuarantineChange {
    static constexpr auto type = JobMessage::AskQuarantineChange;
    std::uint64_t task = 0;
    void fields(auto& wire) { wire.number(task); }
};

// What a disinfection would do.
struct AskDryRun {
    static constexpr auto type = JobMessage::AskDryRun;
    std::vector<FileAction> actions;
    void fields(auto& wire) { wire.list(actions, most_actions); }
};

// jobd answers.

struct UnscannedFile {
    std::string path;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

struct UnscannedFiles {
    static constexpr auto type = JobMessage::UnscannedFiles;
    std::vector<UnscannedFile> files;
    std::uint64_t scan = 0;  // two pieces of one list have the same
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(scan);
        wire.number(next);
    }
};

struct QuarantinedFile {
    std::string id;  // its opaque name
    std::string path;
    std::string virus;
    std::string sha256;
    std::uint64_t size = 0;
    std::int64_t time_ms = 0;  // since the epoch
    bool clean = false;        // by the signatures of the latest scan
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
    static constexpr auto type = JobMessage::QuarantinedFiles;
    std::vector<QuarantinedFile> files;
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(next);
    }
};

struct QuarantineQueued {
    static constexpr auto type = JobMessage::QuarantineQueued;
    std::uint64_t task = 0;
    void fields(auto& wire) { wire.number(task); }
};

struct ChangedFile {
    std::string id;
    std::string path;  // empty: nobody knows a file of this id
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
    static constexpr auto type = JobMessage::QuarantineChange;
    bool ended = false;
    std::vector<ChangedFile> files;  // in the order asked for
    void fields(auto& wire) {
        wire.number(ended);
        wire.list(files, most_actions);
    }
};

struct DryRun {
    static constexpr auto type = JobMessage::DryRun;
    std::vector<Record> steps;
    void fields(auto& wire) { wire.list(steps, most_actions); }
};

struct Accepted {
    static constexpr auto type = JobMessage::Accepted;
    void fields(auto&) {}
};

// The function's own refusal: a sentence for the client.
struct Declined {
    static constexpr auto type = JobMessage::Declined;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_path + longest_message); }
};

struct ScanStatus {
    static constexpr auto type = JobMessage::ScanStatus;
    bool ever_started = false;
    bool complete = true;
    std::int64_t time_started = 0;  // epoch seconds
    std::uint64_t scanned_files = 0;
    std::uint64_t scanned_bytes = 0;
    std::uint64_t total_files = 0;
    std::uint64_t total_bytes = 0;
    std::string current_file;
    std::vector<std::string> infected_files;  // in the order found
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
        wire.text(current_file, longest_path);
        wire.texts(infected_files, most_entries, longest_path);
        wire.texts(warnings, 64, longest_message);
        wire.texts(messages, 64, longest_message);
    }
};

struct InfectedFile {
    std::string path;
    std::string virus;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
    }
};

struct InfectedFiles {
    static constexpr auto type = JobMessage::InfectedFiles;
    std::vector<InfectedFile> files;
    std::uint64_t scan = 0;  // two pieces of one list have the same
    std::uint64_t next = 0;  // where the next piece begins; 0: this is the last
    void fields(auto& wire) {
        wire.list(files, most_entries);
        wire.number(scan);
        wire.number(next);
    }
};

struct DisinfectionQueued {
    static constexpr auto type = JobMessage::DisinfectionQueued;
    std::string task_id;  // 8 hex digits, a slash, 14 hex digits
    std::string log;      // absolute path
    void fields(auto& wire) {
        wire.text(task_id, 23);
        wire.text(log, longest_path);
    }
};

enum class DisinfectionState : std::uint8_t { None = 0, Queued = 1, Running = 2, Done = 3 };

struct DisinfectionStatus {
    static constexpr auto type = JobMessage::DisinfectionStatus;
    DisinfectionState state = DisinfectionState::None;
    std::string log;
    std::vector<Record> records;
    std::vector<std::string> warnings;
    void fields(auto& wire) {
        wire.choice(state, DisinfectionState::Done);
        wire.text(log, longest_path);
        wire.list(records, most_entries);
        wire.texts(warnings, 64, longest_message);
    }
};

// By the name of what was found: PUA.… is low, Heuristics.… is medium, anything else high. The order is the database's.
enum class RiskLevel : std::uint8_t { None = 0, Low = 1, Medium = 2, High = 3 };
[[nodiscard]] RiskLevel risk_of(const std::string& virus) noexcept;

struct Host {
    std::string name;
    std::string uuid;  // as RFC 9562 writes it; made when the database was, so it is this installation's
    void fields(auto& wire) {
        wire.text(name, 256);
        wire.text(uuid, 36);
    }
};

struct ScanTask {
    std::string id;  // 32 lower-case hex digits
    bool system = false;
    std::vector<std::string> paths;  // absolute; unless it is the system's
    std::int64_t created_ms = 0;     // since the epoch
    std::int64_t ended_ms = 0;       // 0: it has not
    ScanPhase phase = ScanPhase::Queued;
    std::uint32_t percent = 0;  // 100 only when it has ended; 0 as long as nobody knows how much there is
    std::uint64_t infected_files = 0;
    RiskLevel risk = RiskLevel::None;  // the highest of all that it found
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
    }
};

struct ScanStatistics {
    static constexpr auto type = JobMessage::ScanStatistics;
    Host host;
    bool ever_scanned = false;
    ScanTask latest;
    void fields(auto& wire) {
        host.fields(wire);
        wire.number(ever_scanned);
        latest.fields(wire);
    }
};

struct ScanTasks {
    static constexpr auto type = JobMessage::ScanTasks;
    Host host;
    std::uint64_t total = 0;
    std::vector<ScanTask> tasks;
    void fields(auto& wire) {
        host.fields(wire);
        wire.number(total);
        wire.list(tasks, longest_page);
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
    static constexpr auto type = JobMessage::ScanEvents;
    Host host;
    std::uint64_t total = 0;
    std::vector<ScanEvent> events;
    void fields(auto& wire) {
        host.fields(wire);
        wire.number(total);
        wire.list(events, longest_page);
    }
};

// ---- The administrator asks jobd, on a socket that only jobd's own user may open
// -------------------------------------

// Signatures for which nothing is deleted (brake.h).
struct AskHeldSignatures {
    static constexpr auto type = JobMessage::AskHeldSignatures;
    void fields(auto&) {}
};

struct HeldSignature {
    std::string signature;
    std::string why;
    std::int64_t since_ms = 0;  // since the epoch
    bool allowed = false;       // by the administrator, so it is held no more
    void fields(auto& wire) {
        wire.text(signature, longest_virus_name);
        wire.text(why, longest_message);
        wire.number(since_ms);
        wire.number(allowed);
    }
};

struct HeldSignatures {
    static constexpr auto type = JobMessage::HeldSignatures;
    std::vector<HeldSignature> signatures;
    void fields(auto& wire) { wire.list(signatures, most_entries); }
};

struct AllowSignature {
    static constexpr auto type = JobMessage::AllowSignature;
    std::string signature;
    void fields(auto& wire) { wire.text(signature, longest_virus_name); }
};

// ---- jobd and the engine -------------------------------------------------------------------------------------------

// With one descriptor, the coordinator's end of its socket to the runner. The connection it is said on becomes jobd's
// conversation with the coordinator; the job ends when either closes it.
struct NewJob {
    static constexpr auto type = JobMessage::NewJob;
    std::string account;  // hex digits: whose memory of clean files it is to use and to fill; empty: none
    bool full = false;    // fills it without using it
    void fields(auto& wire) {
        wire.text(account, 64);
        wire.number(full);
    }
};

// Inside the engine, from the process that holds the signatures. A job of its is over:
struct JobEnded {
    static constexpr auto type = JobMessage::JobEnded;
    void fields(auto&) {}
};
// It is done with loading.
struct SignaturesLoaded {
    static constexpr auto type = JobMessage::SignaturesLoaded;
    std::string problem;  // empty: they are there
    void fields(auto& wire) { wire.text(problem, longest_message); }
};
// The signature directory holds something else by now.
struct SignaturesChanged {
    static constexpr auto type = JobMessage::SignaturesChanged;
    void fields(auto&) {}
};
// And to it: what is in the signature directory now does not load, so go on with what you have.
struct SignaturesBroken {
    static constexpr auto type = JobMessage::SignaturesBroken;
    std::string problem;
    void fields(auto& wire) { wire.text(problem, longest_message); }
};

// The coordinator's first word, once signatures are loaded and every worker found its test virus.
struct ScannerReady {
    static constexpr auto type = JobMessage::ScannerReady;
    std::uint32_t signatures = 0;
    bool embedded_only = false;  // no signature database was found; only the few test signatures we ship
    std::string problem;         // why these are not the newest signatures; empty when they are
    void fields(auto& wire) {
        wire.number(signatures);
        wire.number(embedded_only);
        wire.text(problem, longest_message);
    }
};

// The scanner does not work; the job cannot be done now.
struct ScannerFailed {
    static constexpr auto type = JobMessage::ScannerFailed;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_message); }
};

// How far down its list a scan has come: the first so many files have their verdict for good, and were told. (Some
// after them may have one, too.) From there an interrupted scan goes on.
struct Settled {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t known_files = 0;  // of the clean ones, those that were not read: an earlier scan had
    void fields(auto& wire) {
        wire.number(files);
        wire.number(bytes);
        wire.number(clean_files);
        wire.number(known_files);
    }
    bool operator==(const Settled&) const = default;
};

// Totals of this start so far. `clean` counts only what a later self-test confirmed.
struct ScanProgress {
    static constexpr auto type = JobMessage::ScanProgress;
    std::uint64_t scanned_files = 0;  // with any verdict, unconfirmed clean ones included
    std::uint64_t scanned_bytes = 0;
    std::uint64_t clean_files = 0;
    Settled settled;
    std::uint64_t worker_ms = 0;    // how long workers worked, all of them together
    bool waits_for_runner = false;  // nothing to scan at the moment
    std::string current_file;
    void fields(auto& wire) {
        wire.number(scanned_files);
        wire.number(scanned_bytes);
        wire.number(clean_files);
        settled.fields(wire);
        wire.number(worker_ms);
        wire.number(waits_for_runner);
        wire.text(current_file, longest_path);
    }
};

// jobd to the coordinator: begin no further file. What comes back when those begun are done is TurnEnded.
struct EndTurn {
    static constexpr auto type = JobMessage::EndTurn;
    void fields(auto&) {}
};
struct TurnEnded {
    static constexpr auto type = JobMessage::TurnEnded;
    void fields(auto&) {}
};

struct FoundInfected {
    static constexpr auto type = JobMessage::FoundInfected;
    std::string path;
    std::string virus;
    std::string sha256;       // of the content; empty when it was changed meanwhile, so that nobody knows
    bool known = false;       // it was not read: an earlier scan had found it, and it has not changed
    std::uint64_t place = 0;  // among the files of this start, from 0
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        wire.number(known);
        wire.number(place);
    }
};

struct FoundUnscanned {
    static constexpr auto type = JobMessage::FoundUnscanned;
    std::string path;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::uint64_t place = 0;  // among the files of this start, from 0
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
        wire.number(place);
    }
};

enum class Verdict : std::uint8_t { Clean = 0, Infected = 1, Unscanned = 2 };

// One file judged anew for a disinfection.
struct Judged {
    static constexpr auto type = JobMessage::Judged;
    std::uint64_t token = 0;
    Verdict verdict = Verdict::Unscanned;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::string virus;
    FileIdentity identity;
    std::string sha256;  // of the content; empty when that was changed meanwhile, or cannot be read
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(verdict, Verdict::Unscanned);
        wire.choice(reason, last_unscanned_reason);
        wire.text(virus, longest_virus_name);
        identity.fields(wire);
        wire.text(sha256, 64);
    }
};

// After HandOverEnd: every file handed over has its verdict, and every clean one was confirmed.
struct ScannedAll {
    static constexpr auto type = JobMessage::ScannedAll;
    std::uint64_t files = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t known_files = 0;
    void fields(auto& wire) {
        wire.number(files);
        wire.number(clean_files);
        wire.number(known_files);
    }
};

// ---- The runner hands files to the coordinator ---------------------------------------------------------------------

struct HandOver {
    static constexpr auto type = JobMessage::HandOver;
    std::uint64_t token = 0;  // of Judge; a scan counts by itself
    bool judge = false;       // for a disinfection: answer with Judged
    std::string path;         // absolute, for the records; never opened by the engine
    void fields(auto& wire) {
        wire.number(token);
        wire.number(judge);
        wire.text(path, longest_path);
    }
};

// In the place of a file that could not be opened.
struct NotHandedOver {
    static constexpr auto type = JobMessage::NotHandedOver;
    std::string path;
    UnscannedReason reason = UnscannedReason::Unreadable;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

struct HandOverEnd {
    static constexpr auto type = JobMessage::HandOverEnd;
    std::uint64_t files = 0;  // how many were handed over, or could not be
    void fields(auto& wire) { wire.number(files); }
};

// ---- The coordinator and its workers -------------------------------------------------------------------------------

struct ScanThis {
    static constexpr auto type = JobMessage::ScanThis;
    std::uint64_t token = 0;
    bool write_out = false;  // first whatever is changed in memory: a later store through a mapping is then noticed
    void fields(auto& wire) {
        wire.number(token);
        wire.number(write_out);
    }
};

struct ScanAnswer {
    static constexpr auto type = JobMessage::ScanAnswer;
    std::uint64_t token = 0;
    Verdict verdict = Verdict::Unscanned;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::string virus;
    bool written_out = false;
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(verdict, Verdict::Unscanned);
        wire.choice(reason, last_unscanned_reason);
        wire.text(virus, longest_virus_name);
        wire.number(written_out);
    }
};

// ---- jobd and a runner ---------------------------------------------------------------------------------------------

// A file in the quarantine as it is recorded. If it still is that (quarantine_entry.h says when), hand it to the
// coordinator under the token, and leave it out of the walk. Answered as Judge is.
struct LeaveOut {
    static constexpr auto type = JobMessage::LeaveOut;
    std::uint64_t token = 0;
    std::string opaque;
    std::uint64_t inode = 0;
    std::string sha256;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(opaque, 32);
        wire.number(inode);
        wire.text(sha256, 64);
    }
};

// With two descriptors: the socket to the coordinator, and the file for the list of what the walk finds (jobd's, so
// that neither the account's quota nor the runner's memory limits how many files a home may have).
struct RunScan {
    static constexpr auto type = JobMessage::RunScan;
    std::string directory;    // below the home
    bool listed = false;      // the list is there, of an earlier start: hand over what stands in it
    std::uint64_t after = 0;  // so many files of it
    void fields(auto& wire) {
        wire.text(directory, longest_path);
        wire.number(listed);
        wire.number(after);
    }
};

// With one descriptor: the socket to the coordinator.
struct UseCoordinator {
    static constexpr auto type = JobMessage::UseCoordinator;
    void fields(auto&) {}
};

struct RunLogCopy {
    static constexpr auto type = JobMessage::RunLogCopy;
    void fields(auto&) {}
};

// Open this file, say Opened and hand it to the coordinator under the token; NotOpened if it cannot be.
struct Judge {
    static constexpr auto type = JobMessage::Judge;
    std::uint64_t token = 0;
    std::string path;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
    }
};

// The same of what an Act moved and found to be something else than was judged.
struct JudgeMoved {
    static constexpr auto type = JobMessage::JudgeMoved;
    std::uint64_t token = 0;
    std::string path;    // where it was
    std::string opaque;  // the name it was given
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
        wire.text(opaque, 32);
    }
};

// Carry out what is recorded as intended. May come a second time for the same intent, after any crash.
struct Act {
    static constexpr auto type = JobMessage::Act;
    std::uint64_t token = 0;
    std::string path;
    Action action = Action::Ignore;
    std::string opaque;  // the name it takes on its way, 32 hex digits
    FileIdentity identity;
    std::string sha256;
    std::string virus;
    FileMetadata metadata;
    bool again = false;     // an earlier attempt may have done some of it
    bool put_back = false;  // what was moved is not infected: return it to its place
    bool in_mail = false;   // the path is below the directory that is scanned as mail
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
        wire.choice(action, Action::Discard);
        wire.text(opaque, 32);
        identity.fields(wire);
        wire.text(sha256, 64);
        wire.text(virus, longest_virus_name);
        metadata.fields(wire);
        wire.number(again);
        wire.number(put_back);
        wire.number(in_mail);
    }
};

// Split this mailbox and hand each message to the coordinator by itself, under the tokens from 1 on, then say
// MessagesHandedOver: none, if it is no mailbox after all. Nothing is locked or changed.
struct JudgeMessages {
    static constexpr auto type = JobMessage::JudgeMessages;
    std::uint64_t token = 0;
    std::string path;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
    }
};

// An infected message of a mailbox: what the Act that follows is to take out, and the name to keep it by.
struct CutMessage {
    static constexpr auto type = JobMessage::CutMessage;
    std::string opaque;  // see message_name()
    std::string sha256;
    std::string virus;
    void fields(auto& wire) {
        wire.text(opaque, 32);
        wire.text(sha256, 64);
        wire.text(virus, longest_virus_name);
    }
};
// Of one mailbox by one action; if there are more, it stays in the list, and the next action takes the next ones out.
inline constexpr std::size_t most_messages_cut = 1000;

enum class LogFile : std::uint8_t { Disinfection = 0, Scan = 1 };

// Begins a log in the home anew.
struct CopyBegin {
    static constexpr auto type = JobMessage::CopyBegin;
    LogFile log = LogFile::Disinfection;
    void fields(auto& wire) { wire.choice(log, LogFile::Scan); }
};

// One more line: of the disinfection's log a record, of the scan's log a text.
struct CopyLine {
    static constexpr auto type = JobMessage::CopyLine;
    Record record;
    void fields(auto& wire) { record.fields(wire); }
};

// Answer with CopyDone: whether the log in the home holds every line since CopyBegin, and nothing else.
struct CopyEnd {
    static constexpr auto type = JobMessage::CopyEnd;
    void fields(auto&) {}
};

struct Finish {
    static constexpr auto type = JobMessage::Finish;
    void fields(auto&) {}
};

struct WalkProgress {
    static constexpr auto type = JobMessage::WalkProgress;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    bool walked = false;           // the walk is over: these are the totals, and the list is on the disk
    std::uint64_t list_bytes = 0;  // then
    void fields(auto& wire) {
        wire.number(files);
        wire.number(bytes);
        wire.number(walked);
        wire.number(list_bytes);
    }
};

// A file, or a directory (its path ends in a slash), that the walk could not look at. It counts as one file.
struct Unreadable {
    static constexpr auto type = JobMessage::Unreadable;
    std::string path;
    UnscannedReason reason = UnscannedReason::Unreadable;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

// The scan cannot be done at all; for the owner to read.
struct WalkFailed {
    static constexpr auto type = JobMessage::WalkFailed;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_message); }
};

// The runner's last word of a scan: so many files it told the coordinator of.
struct HandedOver {
    static constexpr auto type = JobMessage::HandedOver;
    std::uint64_t files = 0;
    void fields(auto& wire) { wire.number(files); }
};

// Said before the file is handed to the coordinator.
struct Opened {
    static constexpr auto type = JobMessage::Opened;
    std::uint64_t token = 0;
    FileMetadata metadata;
    bool mailbox = false;  // of many messages, which can be taken out one by one: never to be moved or deleted whole
    void fields(auto& wire) {
        wire.number(token);
        metadata.fields(wire);
        wire.number(mailbox);
    }
};

struct NotOpened {
    static constexpr auto type = JobMessage::NotOpened;
    std::uint64_t token = 0;
    std::string why;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(why, longest_message);
    }
};

struct Acted {
    static constexpr auto type = JobMessage::Acted;
    std::uint64_t token = 0;
    // Deleted, Quarantined (also of what was to be deleted), MailboxCleansed, Restored, NoAction (put back), or Error.
    RecordState state = RecordState::Error;
    std::string message;
    // Where quarantined: what the file's inode is there (a copy has a new one).
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool may_hold_mail = false;  // where quarantined: perhaps more than one message
    // What lies under the opaque name is not what was judged, and this is its metadata: judge it there.
    bool moved_another = false;
    FileMetadata metadata;
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(state, last_record_state);
        wire.text(message, longest_message);
        wire.number(device);
        wire.number(inode);
        wire.number(may_hold_mail);
        wire.number(moved_another);
        metadata.fields(wire);
    }
};

// All messages of the mailbox are on their way to the coordinator.
struct MessagesHandedOver {
    static constexpr auto type = JobMessage::MessagesHandedOver;
    std::uint64_t token = 0;
    std::uint64_t messages = 0;
    void fields(auto& wire) {
        wire.number(token);
        wire.number(messages);
    }
};

// For another program's lock; said every few seconds, so that it is not taken for a runner that was stopped.
struct StillWaiting {
    static constexpr auto type = JobMessage::StillWaiting;
    void fields(auto&) {}
};

// A message that was taken out of a mailbox lies in the quarantine. Said of each before Acted.
struct Saved {
    static constexpr auto type = JobMessage::Saved;
    std::string opaque;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    void fields(auto& wire) {
        wire.text(opaque, 32);
        wire.number(device);
        wire.number(inode);
        wire.number(size);
    }
};

struct CopyDone {
    static constexpr auto type = JobMessage::CopyDone;
    bool whole = false;
    std::string problem;
    void fields(auto& wire) {
        wire.number(whole);
        wire.text(problem, longest_message);
    }
};

}  // namespace clamscanner
