// The order, and what a crash after each step leaves (jobd recorded the intent before it sent the Act):
//   1  the record beside (quarantine only), synced   → the source is still there: begin again
//   2  the move to the opaque name                   → the opaque name is there: go on with 3
//   3  inode, size, time and content compared        → nothing changed: compare again
//   4  both directories synced                       → again
//   5  delete: unlinked, synced                      → both names gone, a delete was intended: it is deleted
// and jobd records the step. Only 5 destroys anything, and only what 3 found to be the judged file.
#include "jobs/disposal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "auth/checked.h"
#include "auth/wire.h"
#include "handlers/quarantine_json.h"
#include "jobs/beneath.h"
#include "jobs/content_hash.h"
#include "jobs/quarantine_record.h"

namespace clamscanner {
namespace {

std::string record_name(const std::string& opaque) {
    return opaque + ".json";
}

timespec timespec_of(std::int64_t nanoseconds) {
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t rest = ((nanoseconds % second) + second) % second;
    return {static_cast<time_t>((nanoseconds - rest) / second), static_cast<long>(rest)};
}

// What stops a step, in words for the owner. Caught in act().
struct Stopped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void stop(const std::string& attempted, int error = errno) {
    throw Stopped("could not " + attempted + ": " + std::strerror(error) + "; the file was left alone");
}

constexpr const char* changed = "the file is not the one that was scanned any more; it was left alone";

std::string beside_name(const std::string& opaque) {
    return ".clamscanner." + opaque;
}

bool is_there(int directory, const std::string& name, struct stat& status) {
    return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool is_judged_file(const struct stat& status, const FileIdentity& judged) {
    return S_ISREG(status.st_mode) && identity_of(status) == judged && status.st_uid == ::geteuid();
}

// A file that was copied from another file system keeps all but its inode.
bool same_content_facts(const struct stat& status, const FileIdentity& judged) {
    return S_ISREG(status.st_mode) && identity_of(status).size == judged.size && status.st_uid == ::geteuid();
}

// Never over an existing file. Where the file system has no RENAME_NOREPLACE (NFS), a link and an unlink do the same.
bool move_without_replacing(int from, const std::string& name, int to, const std::string& new_name) {
    if (::renameat2(from, name.c_str(), to, new_name.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    return ::linkat(from, name.c_str(), to, new_name.c_str(), 0) == 0 && ::unlinkat(from, name.c_str(), 0) == 0;
}

void sync_directory(const UniqueFd& directory) {
    if (::fsync(directory.get()) < 0) stop("make the change durable");
}

void write_all(int fd, const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const auto written = uninterrupted([&] { return ::write(fd, bytes.data() + done, bytes.size() - done); });
        if (written <= 0) stop("write into the quarantine");
        done += static_cast<std::size_t>(written);
    }
}

std::int64_t nanoseconds(const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileMetadata metadata_of(int file) {
    FileMetadata metadata;
    struct stat status {};
    checked(::fstat(file, &status), "examine a file");
    metadata.owner = status.st_uid;
    metadata.group = status.st_gid;
    metadata.mode = status.st_mode & 07777;
    metadata.atime_ns = nanoseconds(status.st_atim);
    std::vector<char> names(64 * 1024);
    std::size_t total = 0;
    const auto size = ::flistxattr(file, names.data(), names.size() - 1);
    for (ssize_t at = 0; at < size;) {
        const std::string name = &names[static_cast<std::size_t>(at)];
        at += static_cast<ssize_t>(name.size()) + 1;
        std::string value(most_attribute_bytes, '\0');
        const auto length = ::fgetxattr(file, name.c_str(), value.data(), value.size());
        if (length < 0) continue;
        value.resize(static_cast<std::size_t>(length));
        total += name.size() + value.size();
        if (total <= most_attribute_bytes && metadata.attributes.size() < most_attributes)
            metadata.attributes.push_back({name, std::move(value)});
    }
    return metadata;
}

std::string below_home(const std::string& path, const std::string& home_path) {
    const std::string prefix = home_path.ends_with('/') ? home_path : home_path + "/";
    if (!path.starts_with(prefix) || path.size() == prefix.size()) throw Malformed("a path is not below the home");
    return path.substr(prefix.size());
}

Acted Disposal::act(const Act& order) {
    Acted acted;
    try {
        acted = carry_out(order);
    } catch (const Stopped& stopped) {
        acted.state = RecordState::Error;
        acted.message = stopped.what();
    }
    acted.token = order.token;
    acted.message.resize(std::min(acted.message.size(), longest_message));
    return acted;
}

Acted Disposal::carry_out(const Act& order) {
    const Place source = place_of(order.path);
    if (order.again) {
        if (Place moved = moved_before(order, source); moved.directory) return finish(order, source, std::move(moved));
    }
    struct stat status {};
    if (!source.directory || !is_there(source.directory.get(), source.name, status)) {
        if (!order.again || order.action != Action::Delete) throw Stopped("the file has vanished");
        // Both names are gone and a delete was intended: the crash came between the unlink and its record.
        Acted acted;
        acted.state = RecordState::Deleted;
        return acted;
    }
    if (!is_judged_file(status, order.identity)) throw Stopped(changed);
    if (order.action == Action::Quarantine) {
        const UniqueFd quarantine = open_quarantine(true);
        if (!quarantine) stop("open the quarantine directory");
        write_record(order, quarantine);
    }
    return finish(order, source, move_away(order, source));
}

UniqueFd Disposal::open_quarantine(bool create) const {
    if (create && ::mkdirat(home_, quarantine_directory, 0700) < 0 && errno != EEXIST) return {};
    UniqueFd directory =
        open_beneath(home_, quarantine_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Crossing::Allowed);
    struct stat status {};
    if (!directory || ::fstat(directory.get(), &status) < 0) return {};
    if (status.st_uid != ::geteuid()) {
        errno = EPERM;
        return {};
    }
    // The owner may have opened it up; nobody else has any business in there.
    if ((status.st_mode & 07777) != 0700 && ::fchmod(directory.get(), 0700) < 0) return {};
    return directory;
}

Disposal::Place Disposal::place_of(const std::string& path) const {
    const std::string relative = below_home(path, home_path_);
    const auto [directory, name] = split_path(relative);
    return {open_beneath(home_, directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed), std::string(name)};
}

Disposal::Place Disposal::moved_before(const Act& order, const Place& source) const {
    struct stat status {};
    UniqueFd quarantine = open_quarantine(false);
    if (quarantine && is_there(quarantine.get(), order.opaque, status)) return {std::move(quarantine), order.opaque};
    const std::string beside = beside_name(order.opaque);
    if (source.directory && is_there(source.directory.get(), beside, status))
        return {UniqueFd(checked(::fcntl(source.directory.get(), F_DUPFD_CLOEXEC, 3), "keep a directory")), beside};
    return {};
}

void Disposal::write_record(const Act& order, const UniqueFd& quarantine) const {
    const QuarantineRecord record{order.path,     order.virus,    order.sha256,
                                  order.identity, order.metadata, ::time(nullptr)};
    remove_record(order);  // of an attempt that a crash ended
    const UniqueFd out(::openat(quarantine.get(), record_name(order.opaque).c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out) stop("write the quarantine's record");
    try {
        write_all(out.get(), quarantine_json(record));
        if (::fsync(out.get()) < 0 || ::fsync(quarantine.get()) < 0) stop("write the quarantine's record");
    } catch (const Stopped&) {
        remove_record(order);
        throw;
    }
}

void Disposal::remove_record(const Act& order) const {
    if (const UniqueFd quarantine = open_quarantine(false))
        ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
}

Disposal::Place Disposal::move_away(const Act& order, const Place& source) const {
    UniqueFd quarantine = open_quarantine(true);
    if (quarantine && move_without_replacing(source.directory.get(), source.name, quarantine.get(), order.opaque))
        return {std::move(quarantine), order.opaque};
    if (quarantine && errno == ENOENT) {
        remove_record(order);
        throw Stopped("the file has vanished");
    }
    // On another file system, or in a full home that has no room for a directory more: beside, in its own directory.
    const std::string beside = beside_name(order.opaque);
    if (move_without_replacing(source.directory.get(), source.name, source.directory.get(), beside))
        return {UniqueFd(checked(::fcntl(source.directory.get(), F_DUPFD_CLOEXEC, 3), "keep a directory")), beside};
    const int error = errno;
    remove_record(order);
    stop("move the file out of its place", error);
}

void Disposal::put_back(const Place& moved, const Place& source) const {
    if (!source.directory ||
        !move_without_replacing(moved.directory.get(), moved.name, source.directory.get(), source.name))
        throw Stopped("the file could not be put back, as its old place is gone or taken: it is now " + moved.name);
    sync_directory(moved.directory);
    sync_directory(source.directory);
}

Acted Disposal::finish(const Act& order, const Place& source, Place moved) const {
    struct stat status {};
    UniqueFd file(
        ::openat(moved.directory.get(), moved.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    const bool opened = file && ::fstat(file.get(), &status) == 0;
    // A copy that an earlier attempt made in the quarantine has an inode of its own, but never another content.
    const bool may_be_copy = order.again && order.action == Action::Quarantine && moved.name == order.opaque;
    const bool right =
        opened &&
        (is_judged_file(status, order.identity) || (may_be_copy && same_content_facts(status, order.identity))) &&
        content_hash(file.get()) == order.sha256;
    if (!right) {
        put_back(moved, source);
        remove_record(order);
        throw Stopped(changed);
    }
    sync_directory(moved.directory);
    if (source.directory) sync_directory(source.directory);
    if (order.action == Action::Quarantine) {
        try {
            return keep(order, std::move(moved), std::move(file));
        } catch (const Stopped&) {
            // Still beside its old place, when the copy into the quarantine failed: so that nothing is lost, back.
            const std::string beside = beside_name(order.opaque);
            if (source.directory && is_there(source.directory.get(), beside, status)) {
                put_back({UniqueFd(::fcntl(source.directory.get(), F_DUPFD_CLOEXEC, 3)), beside}, source);
                remove_record(order);
            }
            throw;
        }
    }
    if (::unlinkat(moved.directory.get(), moved.name.c_str(), 0) < 0) stop("delete the file");
    sync_directory(moved.directory);
    Acted acted;
    acted.state = RecordState::Deleted;
    if (status.st_nlink > 1)
        acted.message = "the file has " + std::to_string(status.st_nlink - 1) + " more names, which are still there";
    return acted;
}

Acted Disposal::keep(const Act& order, Place moved, UniqueFd file) const {
    if (moved.name != order.opaque) {
        const UniqueFd quarantine = open_quarantine(true);
        if (!quarantine) stop("open the quarantine directory");
        file = copy_into(quarantine, order, moved, file.get());
    }
    Acted acted;
    acted.state = RecordState::Quarantined;
    struct stat status {};
    if (::fstat(file.get(), &status) < 0) stop("examine the file");
    if (status.st_nlink > 1) {
        acted.message = "the file has " + std::to_string(status.st_nlink - 1) +
                        " more names, which are still there; so its permissions were left as they are";
    } else if (::fchmod(file.get(), 0400) < 0) {
        acted.message = "its permissions could not be taken away";
    }
    acted.device = status.st_dev;
    acted.inode = status.st_ino;
    return acted;
}

// From another file system: copied, compared, synced, and only then removed from beside its old place.
UniqueFd Disposal::copy_into(const UniqueFd& quarantine, const Act& order, const Place& moved, int file) const {
    const std::string partial = order.opaque + ".partial";
    const auto attempt = [&](bool worked) {
        if (worked) return;
        const int error = errno;
        ::unlinkat(quarantine.get(), partial.c_str(), 0);
        stop("copy the file into the quarantine", error);
    };
    ::unlinkat(quarantine.get(), partial.c_str(), 0);
    UniqueFd copy(
        ::openat(quarantine.get(), partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    attempt(static_cast<bool>(copy));
    char chunk[64 * 1024];
    for (off_t at = 0;;) {
        const auto got = uninterrupted([&] { return ::pread(file, chunk, sizeof chunk, at); });
        attempt(got >= 0);
        if (got == 0) break;
        for (ssize_t done = 0; done < got;) {
            const auto put =
                uninterrupted([&] { return ::write(copy.get(), chunk + done, static_cast<std::size_t>(got - done)); });
            attempt(put > 0);
            done += put;
        }
        at += got;
    }
    const timespec times[2] = {timespec_of(order.metadata.atime_ns), timespec_of(order.identity.mtime_ns)};
    attempt(::futimens(copy.get(), times) == 0 && ::fsync(copy.get()) == 0);
    errno = EIO;
    attempt(content_hash(copy.get()) == order.sha256);
    attempt(move_without_replacing(quarantine.get(), partial, quarantine.get(), order.opaque));
    sync_directory(quarantine);
    if (::unlinkat(moved.directory.get(), moved.name.c_str(), 0) < 0) stop("remove what was copied");
    sync_directory(moved.directory);
    return copy;
}

}  // namespace clamscanner
