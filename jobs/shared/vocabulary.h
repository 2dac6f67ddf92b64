// Types shared by all programs that handle jobs: actions, records, verdicts, files. The values of each enum are part of
// the wire format and the database, so new ones are only appended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "auth/base/limits.h"

namespace clamscanner {

inline constexpr std::size_t longest_path =
    64 * 1024;  // of a deeper tree only the directory is reported, as unreadable
inline constexpr std::size_t longest_message = 1024;
inline constexpr std::size_t longest_virus_name = 256;

enum class Action : std::uint8_t {
    Ignore = 0,
    Delete = 1,
    Quarantine = 2,
    Restore = 3,  // a quarantined file
    Discard = 4,  // delete a quarantined file
    CleanseMailbox = 5,
};

// Those that a disinfection may be asked for, in the order in which people are told of them.
inline constexpr Action requested_actions[] = {Action::Ignore, Action::Delete, Action::Quarantine,
                                               Action::CleanseMailbox};

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
    TooLargeInside = 10,
    UnsupportedArchive = 11,
    EndedEarly = 12,
};

inline constexpr auto last_unscanned_reason = UnscannedReason::EndedEarly;
[[nodiscard]] const char* name_of(Action action) noexcept;
[[nodiscard]] const char* name_of(RecordType type) noexcept;
[[nodiscard]] const char* name_of(RecordState state) noexcept;

// For people to read: "could not be read".
[[nodiscard]] const char* text_of(UnscannedReason reason) noexcept;

// For programs: "unreadable".
[[nodiscard]] const char* name_of(UnscannedReason reason) noexcept;

// Identifies a file and its state without its name.
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

inline constexpr std::size_t longest_attribute_name = 255;

struct ExtendedAttribute {
    std::string name;
    std::string value;
    void fields(auto& wire) {
        wire.text(name, longest_attribute_name);
        wire.text(value, 64 * 1024);
    }
};

inline constexpr std::size_t most_attribute_bytes = 64 * 1024;
inline constexpr std::size_t most_attributes = 256;

// A file's metadata, with which it can be restored as it was. jobd stores it; the JSON record beside a quarantined file
// is only for the owner to read.
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
    std::string file;  // of a step; the raw bytes of the path
    std::string message;
    void fields(auto& wire) {
        wire.number(id);
        wire.choice(type, RecordType::Done);
        wire.choice(state, last_record_state);
        wire.text(file, longest_path);
        wire.text(message, longest_message);
    }
};

// Who asked for a task. The database stores these values.
enum class AskedBy : std::uint8_t {
    Owner = 0,          // over HTTP, with the account's password
    Token = 1,          // over HTTP, with an API token
    Shell = 2,          // uapi
    Key = 3,            // the statistics interface, with an access key
    Administrator = 4,  // clamscanner-scan
    Schedule = 5,       // its timer, or the account's own schedule
    Time = 6,           // what was asked for until then has ended
};
inline constexpr auto last_asked_by = AskedBy::Time;
// "owner".
[[nodiscard]] const char* name_of(AskedBy by) noexcept;

// As the program says that passes the request on: for the account's own trail and the audit log, never for a decision.
struct Asker {
    AskedBy by = AskedBy::Owner;
    std::string which = {};  // the token's name
    std::string from = {};   // the client's address; "" without one
    void fields(auto& wire) {
        wire.choice(by, last_asked_by);
        wire.text(which, longest_token_name);
        wire.text(from, longest_address);
    }
};

enum class Verdict : std::uint8_t { Clean = 0, Infected = 1, Unscanned = 2 };

// By the name of the virus: PUA.… is low, Heuristics.… is medium, anything else high. The database stores these values.
enum class RiskLevel : std::uint8_t { None = 0, Low = 1, Medium = 2, High = 3 };

[[nodiscard]] RiskLevel risk_of(const std::string& virus) noexcept;

}  // namespace clamscanner
