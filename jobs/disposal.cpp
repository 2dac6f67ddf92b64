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
#include "jobs/careful_moves.h"
#include "jobs/content_hash.h"
#include "jobs/maildir.h"
#include "jobs/quarantine_record.h"

namespace clamscanner {
namespace {

constexpr const char* changed = "the file is not the one that was scanned any more; it was left alone";

bool is_judged_file(const struct stat& status, const FileIdentity& judged) {
    return S_ISREG(status.st_mode) && identity_of(status) == judged && status.st_uid == ::geteuid();
}

// A file that was copied from another file system keeps all but its inode.
bool same_content_facts(const struct stat& status, const FileIdentity& judged) {
    return S_ISREG(status.st_mode) && identity_of(status).size == judged.size && status.st_uid == ::geteuid();
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
        const UniqueFd quarantine = open_quarantine(home_, true);
        if (!quarantine) stop("open the quarantine directory");
        write_record(order, quarantine);
    }
    return finish(order, source, move_away(order, source));
}

Disposal::Place Disposal::place_of(const std::string& path) const {
    const std::string relative = below_home(path, home_path_);
    const auto [directory, name] = split_path(relative);
    Place place{open_beneath(home_, directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed), std::string(name)};
    struct stat status {};
    if (place.directory && is_there(place.directory.get(), place.name, status)) return place;
    const auto moved = moved_message(home_, relative);
    if (!moved) return place;
    const auto [new_directory, new_name] = split_path(*moved);
    return {open_beneath(home_, new_directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed), std::string(new_name)};
}

Disposal::Place Disposal::moved_before(const Act& order, const Place& source) const {
    struct stat status {};
    UniqueFd quarantine = open_quarantine(home_, false);
    if (quarantine && is_there(quarantine.get(), order.opaque, status)) return {std::move(quarantine), order.opaque};
    const std::string beside = beside_name(order.opaque);
    if (source.directory && is_there(source.directory.get(), beside, status))
        return {UniqueFd(checked(::fcntl(source.directory.get(), F_DUPFD_CLOEXEC, 3), "keep a directory")), beside};
    // A message's name had changed by then, and with it perhaps its directory.
    for (const auto& directory : maildir_directories(home_, below_home(order.path, home_path_))) {
        UniqueFd other = open_beneath(home_, directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed);
        if (other && is_there(other.get(), beside, status)) return {std::move(other), beside};
    }
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
    if (const UniqueFd quarantine = open_quarantine(home_, false))
        ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
}

Disposal::Place Disposal::move_away(const Act& order, const Place& source) const {
    UniqueFd quarantine = open_quarantine(home_, true);
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
        remove_record(order);
        put_back(moved, source);
        throw Stopped(changed);
    }
    sync_directory(moved.directory);
    if (source.directory) sync_directory(source.directory);
    const bool is_open = is_open_elsewhere(file.get());
    if (order.action == Action::Quarantine) {
        try {
            Acted acted = keep(order, std::move(moved), std::move(file));
            if (is_open) note(acted.message, "a program has the file open, and may still write into it");
            return acted;
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
    struct stat after {};
    if (::fstat(file.get(), &after) < 0 || after.st_nlink >= status.st_nlink)
        throw Stopped("another program put something else under its name in the last moment; it was not deleted");
    Acted acted;
    acted.state = RecordState::Deleted;
    if (status.st_nlink > 1)
        note(acted.message,
             "the file has " + std::to_string(status.st_nlink - 1) + " more names, which are still there");
    if (is_open) note(acted.message, "a program still has it open, and its content until that closes it");
    return acted;
}

Acted Disposal::keep(const Act& order, Place moved, UniqueFd file) const {
    if (moved.name != order.opaque) {
        const UniqueFd quarantine = open_quarantine(home_, true);
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
    if (!copy_file(file, quarantine.get(), partial, order.sha256)) stop("copy the file into the quarantine");
    UniqueFd copy(::openat(quarantine.get(), partial.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    if (!copy) stop("copy the file into the quarantine");
    const timespec times[2] = {timespec_of(order.metadata.atime_ns), timespec_of(order.identity.mtime_ns)};
    if (::futimens(copy.get(), times) < 0 || ::fsync(copy.get()) < 0 ||
        !move_without_replacing(quarantine.get(), partial, quarantine.get(), order.opaque)) {
        const int error = errno;
        ::unlinkat(quarantine.get(), partial.c_str(), 0);
        stop("copy the file into the quarantine", error);
    }
    sync_directory(quarantine);
    if (::unlinkat(moved.directory.get(), moved.name.c_str(), 0) < 0) stop("remove what was copied");
    sync_directory(moved.directory);
    return copy;
}

}  // namespace clamscanner
