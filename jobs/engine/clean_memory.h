// Which files of an account were clean, so that a later scan need not read them again; and which were infected, so that
// it lists them without. (Nothing is ever acted on without being scanned anew.) One database for each account as
// it is now (a uid that somebody else gets one day begins anew), written by that account's coordinator alone: no
// worker, which reads hostile bytes, and nothing that the account runs can reach it. Nothing is shared between
// accounts.
//
// A file is known by what the kernel says of it: file system, inode, size, and the times of its last change to the
// nanosecond. The user sets the modification time at will, but not the change time. Known is not taken on trust for
// ever: entries expire, and all are forgotten when the signatures or the options of scans change.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/shared/settings.h"
#include "jobs/shared/sqlite.h"

namespace clamscanner {

// What a file was at a moment.
struct FileStamp {
    std::uint64_t file_system = 0;  // one that stays the same over reboots
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    bool operator==(const FileStamp&) const = default;
};

// Empty on a file system other than ext4 and Btrfs: only of these we know that an owner cannot put another content of
// their choice into a file without a new change time, and have an identity that survives a reboot. `status` is that of
// `fd`.
[[nodiscard]] std::optional<FileStamp> stamp_of(int fd, const struct stat& status);

// Whether a file that has this stamp at `now_ns`, since the epoch, could have been changed since and still have it: the
// kernel's clock for files goes in steps.
[[nodiscard]] bool is_settled(const FileStamp& stamp, std::int64_t now_ns) noexcept;

class CleanMemory {
 public:
    // `account`: hex digits, that account's alone. `fingerprint`: of signatures and options. A memory that is damaged
    // is begun anew. Throws DatabaseError when there can be none (no room, or another coordinator has it still).
    CleanMemory(const Settings& config, const std::string& account, const std::string& fingerprint);
    ~CleanMemory();
    CleanMemory(const CleanMemory&) = delete;
    CleanMemory& operator=(const CleanMemory&) = delete;

    // The name of what was found in it, empty if it was clean; nothing when it is not known.
    [[nodiscard]] std::optional<std::string> find(const FileStamp& stamp);
    // Kept for good after so many, or when this goes out of scope: what is lost is read again, no more.
    void remember(const FileStamp& stamp, const std::string& virus);

 private:
    void open(const std::string& file, const std::string& fingerprint);
    void commit();

    std::optional<Database> database_;
    std::optional<Statement> find_;
    std::optional<Statement> insert_;
    std::int64_t oldest_s_ = 0;
    std::size_t uncommitted_ = 0;
};

// Removes the memories in which every entry has expired. At the start of the engine.
void remove_expired_memories(const Settings& config);

}  // namespace clamscanner
