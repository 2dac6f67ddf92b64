// jobd's orders to a runner, and the runner's answers: packets on the socket that it is started with.
//
//   jobd ── RunScan, Scan…, Adopt…, Act, Copy…, Finish ──► runner ── WalkProgress … CopyDone ──► jobd
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class RunnerMessage : std::uint16_t {
    ScanQuarantined = 140,
    RunScan,
    UseCoordinator,
    ScanFile,
    ScanMoved,
    Act,
    ScanMailbox,
    CutMail,
    CopyBegin,
    CopyLine,
    CopyEnd,
    Finish,
    WalkProgress,
    Unreadable,
    WalkFailed,
    HandedOver,
    Opened,
    NotOpened,
    Acted,
    MailHandedOver,
    StillWaiting,
    Saved,
    CopyDone,
    RunnerFailed,
    AdoptQuarantined,
    Adopted,
};

// ---- jobd orders ---------------------------------------------------------------------------------------------------

// If this recorded file is still in the quarantine unchanged (see quarantine_entry.h), hand it to the coordinator under
// the token, and leave it out of the walk. Answered like ScanFile. What was adopted stays in the walk.
struct ScanQuarantined {
    static constexpr auto type = RunnerMessage::ScanQuarantined;
    std::uint64_t token = 0;
    std::string opaque;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::string sha256;
    bool adopted = false;  // known by its owner's record alone
    void fields(auto& wire) {
        wire.number(token);
        wire.text(opaque, 32);
        wire.number(inode);
        wire.number(size);
        wire.text(sha256, 64);
        wire.number(adopted);
    }
};

// Look for records in the quarantine of files that were not named by a ScanQuarantined, and answer Adopted for each
// whose file is there with the recorded size and content (adoption.h).
struct AdoptQuarantined {
    static constexpr auto type = RunnerMessage::AdoptQuarantined;
    std::uint64_t most_bytes = 0;  // a longer file was never scanned, so it was not quarantined
    std::string mail_directory;    // that is scanned as mail, below the home; "": there is none
    void fields(auto& wire) {
        wire.number(most_bytes);
        wire.text(mail_directory, longest_path);
    }
};

// By one scan; the next one adopts more.
inline constexpr std::size_t most_adopted = 10'000;

// With one descriptor: the file for the list of files that the walk finds. It is jobd's, so that neither the account's
// quota nor the runner's memory limits how many files a home may have. UseCoordinator comes first.
struct RunScan {
    static constexpr auto type = RunnerMessage::RunScan;
    std::string directory;             // below the home
    bool listed = false;               // an earlier start made the list: hand over the files in it
    std::uint64_t after = 0;           // skip this many files of the list
    bool hand_over_meanwhile = false;  // files that are listed may be handed over while the walk goes on
    void fields(auto& wire) {
        wire.text(directory, longest_path);
        wire.number(listed);
        wire.number(after);
        wire.number(hand_over_meanwhile);
    }
};

// With one descriptor: the socket to the coordinator.
struct UseCoordinator {
    static constexpr auto type = RunnerMessage::UseCoordinator;
    void fields(auto&) {}
};

// Open this file, answer Opened and hand it to the coordinator under the token; or answer NotOpened.
struct ScanFile {
    static constexpr auto type = RunnerMessage::ScanFile;
    std::uint64_t token = 0;
    std::string path;
    bool asks_for_mail = false;  // whether it may hold more than one mail message
    bool in_mail = false;        // the path is below the directory that is scanned as mail
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
        wire.number(asks_for_mail);
        wire.number(in_mail);
    }
};

// The same for a file that an Act moved and found to differ from the scanned one.
struct ScanMoved {
    static constexpr auto type = RunnerMessage::ScanMoved;
    std::uint64_t token = 0;
    std::string path;    // where it was
    std::string opaque;  // the name it was given
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
        wire.text(opaque, 32);
    }
};

// Carry out the recorded intent. May be sent again for the same intent after a crash.
struct Act {
    static constexpr auto type = RunnerMessage::Act;
    std::uint64_t token = 0;
    std::string path;
    Action action = Action::Ignore;
    std::string opaque;  // the name that it is moved to, 32 hex digits
    FileIdentity identity;
    std::string sha256;
    std::string virus;
    FileMetadata metadata;
    bool again = false;     // an earlier attempt may have done a part of it
    bool put_back = false;  // the moved file is not infected: put it back
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

// Split this mailbox and hand each mail message to the coordinator individually, under tokens from 1 on, then answer
// MailHandedOver, with 0 messages if it is no mailbox. Nothing is locked or changed.
struct ScanMailbox {
    static constexpr auto type = RunnerMessage::ScanMailbox;
    std::uint64_t token = 0;
    std::string path;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
    }
};

// An infected mail message that the next Act is to take out of the mailbox, and the name to keep it under.
struct CutMail {
    static constexpr auto type = RunnerMessage::CutMail;
    std::string opaque;  // made by mail_name()
    std::string sha256;
    std::string virus;
    void fields(auto& wire) {
        wire.text(opaque, 32);
        wire.text(sha256, 64);
        wire.text(virus, longest_virus_name);
    }
};

// From one mailbox by one action. If there are more, the mailbox stays in the list for the next action.
inline constexpr std::size_t most_mail_cut = 1000;

enum class LogFile : std::uint8_t { Disinfection = 0, Scan = 1 };

// Start a new log in the home.
struct CopyBegin {
    static constexpr auto type = RunnerMessage::CopyBegin;
    LogFile log = LogFile::Disinfection;
    void fields(auto& wire) { wire.choice(log, LogFile::Scan); }
};

// One more line: a record of the disinfection's log, or a text line of the scan's log.
struct CopyLine {
    static constexpr auto type = RunnerMessage::CopyLine;
    Record record;
    void fields(auto& wire) { record.fields(wire); }
};

// Answered with CopyDone: whether the log in the home holds exactly the lines since CopyBegin.
struct CopyEnd {
    static constexpr auto type = RunnerMessage::CopyEnd;
    void fields(auto&) {}
};

struct Finish {
    static constexpr auto type = RunnerMessage::Finish;
    void fields(auto&) {}
};

// ---- The runner answers --------------------------------------------------------------------------------------------

struct WalkProgress {
    static constexpr auto type = RunnerMessage::WalkProgress;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    bool walked = false;           // the walk has ended: these are the totals, and the list is on the disk
    std::uint64_t list_bytes = 0;  // once walked
    void fields(auto& wire) {
        wire.number(files);
        wire.number(bytes);
        wire.number(walked);
        wire.number(list_bytes);
    }
};

// A file, or a directory (its path ends in a slash), that the walk could not read. It counts as one file.
struct Unreadable {
    static constexpr auto type = RunnerMessage::Unreadable;
    std::string path;
    UnscannedReason reason = UnscannedReason::Unreadable;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

// The scan cannot be done at all. `why` is for the owner to read.
struct WalkFailed {
    static constexpr auto type = RunnerMessage::WalkFailed;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_message); }
};

// Sent when all files of a scan were handed over: how many the runner reported to the coordinator.
struct HandedOver {
    static constexpr auto type = RunnerMessage::HandedOver;
    std::uint64_t files = 0;
    void fields(auto& wire) { wire.number(files); }
};

// Sent before the file is handed to the coordinator.
struct Opened {
    static constexpr auto type = RunnerMessage::Opened;
    std::uint64_t token = 0;
    FileMetadata metadata;
    bool mailbox = false;  // an mbox, whose messages can be taken out one by one: never move or delete it as a whole
    bool may_hold_mail = false;  // more than one; only if ScanFile asked
    void fields(auto& wire) {
        wire.number(token);
        metadata.fields(wire);
        wire.number(mailbox);
        wire.number(may_hold_mail);
    }
};

struct NotOpened {
    static constexpr auto type = RunnerMessage::NotOpened;
    std::uint64_t token = 0;
    std::string why;
    bool is_moved = false;  // for ScanMoved: the file is there, but could not be opened
    void fields(auto& wire) {
        wire.number(token);
        wire.text(why, longest_message);
        wire.number(is_moved);
    }
};

struct Acted {
    static constexpr auto type = RunnerMessage::Acted;
    std::uint64_t token = 0;
    // Deleted, Quarantined (possibly instead of deleted), MailboxCleansed, Restored, NoAction (put back), or Error.
    RecordState state = RecordState::Error;
    std::string message;
    // If quarantined: the file's identity there (a copy has a new inode).
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool may_hold_mail = false;  // if quarantined: it may hold more than one mail message
    // The file under the opaque name differs from the scanned one, and this is its metadata: scan it there.
    bool content_differs = false;
    FileMetadata metadata;
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(state, last_record_state);
        wire.text(message, longest_message);
        wire.number(device);
        wire.number(inode);
        wire.number(may_hold_mail);
        wire.number(content_differs);
        metadata.fields(wire);
    }
};

// All messages of the mailbox were handed to the coordinator.
struct MailHandedOver {
    static constexpr auto type = RunnerMessage::MailHandedOver;
    std::uint64_t token = 0;
    std::uint64_t messages = 0;
    void fields(auto& wire) {
        wire.number(token);
        wire.number(messages);
    }
};

// The runner waits for another program's lock. Sent every few seconds, so that it is not mistaken for a stopped runner.
struct StillWaiting {
    static constexpr auto type = RunnerMessage::StillWaiting;
    void fields(auto&) {}
};

// A mail message was moved from a mailbox into the quarantine. One is sent for each before Acted.
struct Saved {
    static constexpr auto type = RunnerMessage::Saved;
    std::string opaque;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    bool may_hold_mail = false;  // what was split off as one message may hold more
    void fields(auto& wire) {
        wire.text(opaque, 32);
        wire.number(device);
        wire.number(inode);
        wire.number(size);
        wire.number(may_hold_mail);
    }
};

// The runner cannot go on with the job, whatever that is. `why` is for the owner to read.
struct RunnerFailed {
    static constexpr auto type = RunnerMessage::RunnerFailed;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_message); }
};

// A file in the quarantine, as its owner's record describes it.
struct Adopted {
    static constexpr auto type = RunnerMessage::Adopted;
    std::string opaque;
    std::string path;  // below the home as it is now
    std::string virus;
    std::string sha256;
    FileIdentity identity;  // of the file in the quarantine, but for the time, which is the recorded one
    FileMetadata metadata;
    bool may_hold_mail = false;
    void fields(auto& wire) {
        wire.text(opaque, 32);
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        identity.fields(wire);
        metadata.fields(wire);
        wire.number(may_hold_mail);
    }
};

struct CopyDone {
    static constexpr auto type = RunnerMessage::CopyDone;
    bool whole = false;
    std::string problem;
    void fields(auto& wire) {
        wire.number(whole);
        wire.text(problem, longest_message);
    }
};

}  // namespace clamscanner
