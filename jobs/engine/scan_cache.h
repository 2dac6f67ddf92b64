// The verdicts of an account's unchanged files, clean or infected, so that a later scan need not read these files
// again. (No file is ever acted on without a new scan.) Each account has a database of its own, tied to its present
// owner: when a uid is given to somebody else, the cache starts empty. Only that account's coordinator writes it; no
// worker, which reads hostile bytes, and no program of the account can reach it. Accounts share nothing.
//
// A file is identified by what the kernel says of it: file system, inode, size, and modification and change times to
// the nanosecond. The user can set the modification time, but not the change time. Entries expire, and all are dropped
// when the signatures or the scan options change.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/shared/settings.h"
#include "jobs/shared/sqlite.h"

namespace clamscanner {

// The kernel's facts about a file at one moment.
struct FileStamp {
    std::uint64_t file_system = 0;  // survives a reboot
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    bool operator==(const FileStamp&) const = default;
};

// Empty on file systems other than ext4 and Btrfs: only for these two do we know that an owner cannot write chosen
// content into a file without a new change time, and that the file system's identity survives a reboot. `status` is
// that of `fd`.
[[nodiscard]] std::optional<FileStamp> stamp_of(int fd, const struct stat& status);

// Whether the last change was long enough before `now_ns` (since the epoch) for any later one to give the file another
// stamp: the kernel's clock for file times advances in steps.
[[nodiscard]] bool is_settled(const FileStamp& stamp, std::int64_t now_ns) noexcept;

class ScanCache {
 public:
    // `account`: hex digits unique to the account. `fingerprint`: of signatures and options. A damaged cache is
    // replaced by an empty one. Throws DatabaseError when none can be opened (the disk is full, or another coordinator
    // still has it open).
    ScanCache(const Settings& config, const std::string& account, const std::string& fingerprint);
    ~ScanCache();
    ScanCache(const ScanCache&) = delete;
    ScanCache& operator=(const ScanCache&) = delete;

    // The virus that was found, "" if the file was clean; nothing if the file is not in the cache.
    [[nodiscard]] std::optional<std::string> find(const FileStamp& stamp);
    // Committed every few thousand entries and on destruction; an entry that a crash loses only costs another scan.
    void store(const FileStamp& stamp, const std::string& virus);

 private:
    void open(const std::string& file, const std::string& fingerprint);
    [[nodiscard]] std::optional<std::string> scanned_with();  // the fingerprint; nothing if the cache is new
    void commit();

    std::optional<Database> database_;
    std::optional<Statement> find_;
    std::optional<Statement> insert_;
    std::int64_t latest_s_ = 0;  // seconds since the epoch: when it was opened
    std::int64_t oldest_s_ = 0;  // what was scanned before has expired
    std::size_t uncommitted_ = 0;
};

// Removes the caches whose every entry has expired. Called when signatures are loaded.
void remove_expired_caches(const Settings& config);

}  // namespace clamscanner
