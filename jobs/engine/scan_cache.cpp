#include "jobs/engine/scan_cache.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <tuple>

#include "auth/base/log.h"
#include "auth/base/nanoseconds.h"

namespace clamscanner {
namespace {

constexpr std::size_t commit_every = 4096;

std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// ext4 and Btrfs fold their UUID into f_fsid (Btrfs with the number of the subvolume). 0: not supported. XFS is not:
// there an owner can exchange the contents of two files without a new change time (XFS_IOC_SWAPEXT).
std::uint64_t file_system_of(int fd) {
    struct statfs status {};
    if (::fstatfs(fd, &status) != 0) return 0;
    std::uint64_t id = 0;
    switch (static_cast<std::uint32_t>(status.f_type)) {
        case EXT4_SUPER_MAGIC:
        case BTRFS_SUPER_MAGIC:
            static_assert(sizeof status.f_fsid == sizeof id);
            std::memcpy(&id, &status.f_fsid, sizeof id);
            return id;
        default:
            return 0;
    }
}

constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS clean(
    file_system INTEGER, inode INTEGER, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    scanned_s INTEGER NOT NULL, virus BLOB NOT NULL, PRIMARY KEY(file_system, inode)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scanned_with(fingerprint BLOB NOT NULL);
)";

void remove_cache(const std::string& file) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(file + suffix);
}

}  // namespace

std::optional<FileStamp> stamp_of(int fd, const struct stat& status) {
    // A device keeps its file system as long as one of its files is open, and a scan always has one open. A scan meets
    // few devices.
    static std::map<dev_t, std::uint64_t> known;
    const auto [entry, fresh] = known.try_emplace(status.st_dev, 0);
    if (fresh) entry->second = file_system_of(fd);
    if (entry->second == 0) return std::nullopt;
    return FileStamp{entry->second, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                     nanoseconds_of(status.st_mtim), nanoseconds_of(status.st_ctim)};
}

bool is_settled(const FileStamp& stamp, std::int64_t now_ns) noexcept {
    return stamp.ctime_ns <= now_ns - nanoseconds_of_a_second;
}

ScanCache::ScanCache(const Settings& config, const std::string& account, const std::string& fingerprint) {
    constexpr std::int64_t day_s = 86'400;
    latest_s_ = now_s();
    oldest_s_ = latest_s_ - static_cast<std::int64_t>(config.engine.rescan_days) * day_s;
    const auto file = config.engine.memory_directory + "/" + account + ".sqlite";
    try {
        open(file, fingerprint);
    } catch (const DatabaseError& damaged) {
        if (!damaged.is_in_file) throw;
        log_line(Severity::Warning,
                 std::string("a damaged cache of verdicts is replaced by an empty one: ") + damaged.what());
        insert_.reset();
        find_.reset();
        database_.reset();
        remove_cache(file);
        open(file, fingerprint);
    }
}

void ScanCache::open(const std::string& file, const std::string& fingerprint) {
    database_.emplace(file);
    // Only one process has it open. Entries lost in a power cut are scanned again.
    database_->execute("PRAGMA locking_mode = EXCLUSIVE");
    database_->execute("PRAGMA journal_mode = WAL");
    database_->execute("PRAGMA synchronous = NORMAL");
    database_->execute("PRAGMA cache_size = -4096");
    database_->execute("PRAGMA max_page_count = 131072");  // 512 MiB: about ten million files
    database_->execute(schema);
    const auto before = scanned_with();
    if (before && *before != fingerprint) {
        // An empty file takes no room, but one whose rows were deleted stays as large as it was.
        database_.reset();
        remove_cache(file);
        return open(file, fingerprint);
    }
    if (!before) Statement(database_->handle(), "INSERT INTO scanned_with VALUES(?)").run(fingerprint);
    // What seems to be of the future was scanned while the clock was wrong, nobody knows when.
    Statement(database_->handle(), "DELETE FROM clean WHERE scanned_s NOT BETWEEN ? AND ?").run(oldest_s_, latest_s_);
    find_.emplace(database_->handle(),
                  "SELECT size, mtime_ns, ctime_ns, scanned_s, virus FROM clean WHERE file_system = ? AND inode = ?");
    insert_.emplace(database_->handle(), "INSERT OR REPLACE INTO clean VALUES(?, ?, ?, ?, ?, ?, ?)");
    database_->execute("BEGIN");  // without one, each question would be a transaction of its own
}

ScanCache::~ScanCache() {
    try {
        commit();
    } catch (const DatabaseError& fault) {
        log_line(Severity::Warning, std::string("the last verdicts of a scan were not cached: ") + fault.what());
    }
}

std::optional<std::string> ScanCache::scanned_with() {
    std::optional<std::string> fingerprint;
    Statement(database_->handle(), "SELECT fingerprint FROM scanned_with").each([&](Row row) {
        fingerprint = row.bytes(0);
        return false;
    });
    return fingerprint;
}

std::optional<std::string> ScanCache::find(const FileStamp& stamp) {
    std::optional<std::string> virus;
    find_->each(
        [&](Row row) {
            if (row.number<std::uint64_t>(0) == stamp.size && row.number(1) == stamp.mtime_ns &&
                row.number(2) == stamp.ctime_ns && row.number(3) >= oldest_s_)
                virus = row.bytes(4);
            return false;
        },
        stamp.file_system, stamp.inode);
    return virus;
}

void ScanCache::store(const FileStamp& stamp, const std::string& virus) {
    ++uncommitted_;
    insert_->run(stamp.file_system, stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns, now_s(), virus);
    if (uncommitted_ >= commit_every) commit();
}

void ScanCache::commit() {
    if (uncommitted_ == 0) return;
    uncommitted_ = 0;
    database_->execute("COMMIT");
    database_->execute("BEGIN");
}

void remove_expired_caches(const Settings& config) {
    namespace fs = std::filesystem;
    const auto oldest = fs::file_time_type::clock::now() - std::chrono::hours(24 * config.engine.rescan_days);
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(config.engine.memory_directory, problem)) {
        std::error_code gone;
        if (entry.path().extension() == ".sqlite" && entry.last_write_time(gone) < oldest && !gone)
            remove_cache(entry.path());
    }
    if (problem)
        log_line(Severity::Warning, config.engine.memory_directory + ": " + problem.message() +
                                        "; verdicts are not cached, so every scan reads every file");
}

}  // namespace clamscanner
