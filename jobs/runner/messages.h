// What jobd orders a runner to do, and what the runner answers: packets on the socket that it is born with.
//
//   jobd ── Run…, Judge…, Act, Copy…, Finish ──► runner ── WalkProgress … CopyDone ──► jobd
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class RunnerMessage : std::uint16_t {
    LeaveOut = 140,
    RunScan,
    UseCoordinator,
    Judge,
    JudgeMoved,
    Act,
    JudgeMessages,
    CutMessage,
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
    MessagesHandedOver,
    StillWaiting,
    Saved,
    CopyDone,
};

// ---- jobd orders ---------------------------------------------------------------------------------------------------

// A file in the quarantine as it is recorded. If it still is that (quarantine_entry.h says when), hand it to the
// coordinator under the token, and leave it out of the walk. Answered as Judge is.
struct LeaveOut {
    static constexpr auto type = RunnerMessage::LeaveOut;
    std::uint64_t token = 0;
    std::string opaque;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::string sha256;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(opaque, 32);
        wire.number(inode);
        wire.number(size);
        wire.text(sha256, 64);
    }
};

// With two descriptors: the socket to the coordinator, and the file for the list of what the walk finds (jobd's, so
// that neither the account's quota nor the runner's memory limits how many files a home may have).
struct RunScan {
    static constexpr auto type = RunnerMessage::RunScan;
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
    static constexpr auto type = RunnerMessage::UseCoordinator;
    void fields(auto&) {}
};

// Open this file, say Opened and hand it to the coordinator under the token; NotOpened if it cannot be.
struct Judge {
    static constexpr auto type = RunnerMessage::Judge;
    std::uint64_t token = 0;
    std::string path;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
    }
};

// The same of what an Act moved and found to be something else than was judged.
struct JudgeMoved {
    static constexpr auto type = RunnerMessage::JudgeMoved;
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
    static constexpr auto type = RunnerMessage::Act;
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
    static constexpr auto type = RunnerMessage::JudgeMessages;
    std::uint64_t token = 0;
    std::string path;
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
    }
};

// An infected message of a mailbox: what the Act that follows is to take out, and the name to keep it by.
struct CutMessage {
    static constexpr auto type = RunnerMessage::CutMessage;
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
    static constexpr auto type = RunnerMessage::CopyBegin;
    LogFile log = LogFile::Disinfection;
    void fields(auto& wire) { wire.choice(log, LogFile::Scan); }
};

// One more line: of the disinfection's log a record, of the scan's log a text.
struct CopyLine {
    static constexpr auto type = RunnerMessage::CopyLine;
    Record record;
    void fields(auto& wire) { record.fields(wire); }
};

// Answer with CopyDone: whether the log in the home holds every line since CopyBegin, and nothing else.
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
    static constexpr auto type = RunnerMessage::Unreadable;
    std::string path;
    UnscannedReason reason = UnscannedReason::Unreadable;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

// The scan cannot be done at all; for the owner to read.
struct WalkFailed {
    static constexpr auto type = RunnerMessage::WalkFailed;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_message); }
};

// The runner's last word of a scan: so many files it told the coordinator of.
struct HandedOver {
    static constexpr auto type = RunnerMessage::HandedOver;
    std::uint64_t files = 0;
    void fields(auto& wire) { wire.number(files); }
};

// Said before the file is handed to the coordinator.
struct Opened {
    static constexpr auto type = RunnerMessage::Opened;
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
    static constexpr auto type = RunnerMessage::NotOpened;
    std::uint64_t token = 0;
    std::string why;
    bool is_moved = false;  // to JudgeMoved: it lies there all the same
    void fields(auto& wire) {
        wire.number(token);
        wire.text(why, longest_message);
        wire.number(is_moved);
    }
};

struct Acted {
    static constexpr auto type = RunnerMessage::Acted;
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
    static constexpr auto type = RunnerMessage::MessagesHandedOver;
    std::uint64_t token = 0;
    std::uint64_t messages = 0;
    void fields(auto& wire) {
        wire.number(token);
        wire.number(messages);
    }
};

// For another program's lock; said every few seconds, so that it is not taken for a runner that was stopped.
struct StillWaiting {
    static constexpr auto type = RunnerMessage::StillWaiting;
    void fields(auto&) {}
};

// A message that was taken out of a mailbox lies in the quarantine. Said of each before Acted.
struct Saved {
    static constexpr auto type = RunnerMessage::Saved;
    std::string opaque;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    bool may_hold_mail = false;  // more than one letter, in what was taken for one message
    void fields(auto& wire) {
        wire.text(opaque, 32);
        wire.number(device);
        wire.number(inode);
        wire.number(size);
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
