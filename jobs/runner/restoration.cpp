#include "jobs/runner/restoration.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/nanoseconds.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/mail_return.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/mail_name.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

constexpr const char* taken_again =
    "there is a file of that name again; nothing was replaced, and it is still in quarantine";
constexpr int reading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

struct ContentChanged : Stopped {
    ContentChanged() : Stopped("its content was changed in the quarantine; it was left there") {}
};

// A file whose content has changed is no longer the quarantined one: it is not deleted, only removed from jobd's list.
template <class Carry>
Acted acted_by(const Act& order, RecordState done, Carry carry_out) {
    Acted acted;
    acted.token = order.token;
    try {
        acted.message = carry_out();
        acted.state = done;
    } catch (const ContentChanged& changed) {
        acted.state = done == RecordState::Deleted ? RecordState::NoAction : RecordState::Error;
        acted.message = changed.what();
    } catch (const Stopped& stopped) {
        acted.state = RecordState::Error;
        acted.message = stopped.what();
    }
    acted.message.resize(std::min(acted.message.size(), longest_message));
    return acted;
}

// Empty if there is no file under its name. Throws Stopped if it is not the file that was quarantined.
UniqueFd open_kept(const Act& order, const UniqueFd& quarantine, struct stat& status) {
    if (!quarantine) return {};
    UniqueFd file(::openat(quarantine.get(), order.opaque.c_str(), reading));
    if (!file && errno != ENOENT) stop("open the quarantined file");
    if (!file) return file;
    if (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid())
        throw Stopped("something else lies in the quarantine under its name; it was left alone");
    // The hash is unknown if a program kept rewriting the file; then any content is accepted.
    if (!order.sha256.empty() && content_hash(file.get(), order.identity.size) != order.sha256) throw ContentChanged();
    return file;
}

// Restores the metadata, except what an owner cannot set and what would give others the owner's rights.
void set_metadata(int file, const Act& order, std::string& notes) {
    const auto& before = order.metadata;
    if (before.owner != ::geteuid()) note(notes, "it belonged to uid " + std::to_string(before.owner) + " before");
    struct stat status {};
    if (::fstat(file, &status) < 0) stop("examine the file");
    if (before.group != status.st_gid && ::fchown(file, static_cast<uid_t>(-1), before.group) < 0)
        note(notes, "its group could not be set to gid " + std::to_string(before.group));
    // Setting attributes needs write permission, which a quarantined file lacks; the final mode is set last.
    if (::fchmod(file, 0600) < 0) stop("set the file's permissions");
    for (const auto& attribute : before.attributes)
        if (::fsetxattr(file, attribute.name.c_str(), attribute.value.data(), attribute.value.size(), 0) < 0)
            note(notes, "its attribute " + attribute.name + " could not be set");
    constexpr mode_t borrowed_rights = S_ISUID | S_ISGID;
    if ((before.mode & borrowed_rights) != 0) note(notes, "it is not setuid or setgid any more");
    if (::fchmod(file, before.mode & 07777 & ~borrowed_rights) < 0) stop("set the file's permissions");
    const timespec times[2] = {timespec_of(before.atime_ns), timespec_of(order.identity.mtime_ns)};
    if (::futimens(file, times) < 0) note(notes, "its times could not be set");
    if (::fsync(file) < 0) stop("make the change durable");
}

}  // namespace

Acted Restoration::restore(const Act& order) const {
    return acted_by(order, RecordState::Restored,
                    [&] { return is_mail(order.opaque) ? append(order) : put_back(order); });
}

Acted Restoration::discard(const Act& order) const {
    return acted_by(order, RecordState::Deleted, [&] { return throw_away(order); });
}

UniqueFd Restoration::open_or_make(const std::string& directory) const {
    UniqueFd reached(checked(::fcntl(home_, F_DUPFD_CLOEXEC, 3), "keep the home open"));
    std::istringstream parts(directory);
    for (std::string part; std::getline(parts, part, '/');) {
        if (part.empty()) continue;
        constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        UniqueFd next = open_beneath(reached.get(), part, flags, Crossing::Allowed);
        if (!next && errno == ENOENT) {
            if (::mkdirat(reached.get(), part.c_str(), 0755) < 0 && errno != EEXIST) stop("make its directory again");
            sync_directory(reached);
            next = open_beneath(reached.get(), part, flags, Crossing::Allowed);
        }
        if (!next) stop("open the directory where it was");
        reached = std::move(next);
    }
    return reached;
}

// By an attempt that crashed, or by the owner.
bool Restoration::was_put_back(const Act& order, const UniqueFd& directory, const std::string& name) const {
    const UniqueFd file(::openat(directory.get(), name.c_str(), reading));
    struct stat status {};
    return file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
           content_hash(file.get()) == order.sha256;
}

std::string Restoration::put_back(const Act& order) const {
    const std::string relative = below_home(order.path, home_path_);
    const auto [directory_path, name_view] = split_path(relative);
    const std::string name(name_view);
    const UniqueFd quarantine = open_quarantine(home_, false);
    if (!quarantine && errno != ENOENT) stop("open the quarantine directory");
    struct stat status {};
    const UniqueFd file = open_kept(order, quarantine, status);
    if (!file) {
        const UniqueFd place = open_beneath(home_, directory_path, O_RDONLY | O_DIRECTORY, Crossing::Allowed);
        if (!place || !was_put_back(order, place, name)) throw Stopped("it is not in the quarantine any more");
        if (quarantine) ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
        return {};
    }

    const UniqueFd directory = open_or_make(std::string(directory_path));
    struct stat taken {};
    if (!is_there(directory.get(), name, taken)) return move_back(order, quarantine, directory, name, file.get());
    // Is it the copy made by an attempt that crashed before it removed the original?
    if (taken.st_dev == status.st_dev || !was_put_back(order, directory, name)) throw Stopped(taken_again);
    if (::unlinkat(quarantine.get(), order.opaque.c_str(), 0) < 0) stop("remove what was copied");
    sync_directory(quarantine);
    ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
    return {};
}

std::string Restoration::move_back(const Act& order, const UniqueFd& quarantine, const UniqueFd& directory,
                                   const std::string& name, int file) const {
    std::string notes;
    struct stat status {};
    struct stat moved {};
    if (::fstat(file, &status) < 0) stop("examine the file");
    if (status.st_nlink > 1)
        note(notes, "it has " + std::to_string(status.st_nlink - 1) +
                        " more names, so its permissions and times were left as they are");
    else
        set_metadata(file, order, notes);
    if (!move_without_replacing(quarantine.get(), order.opaque, directory.get(), name)) {
        const int error = errno;
        // The file stays in the quarantine, so it gets mode 0400 again; a copy gets the metadata separately.
        if (status.st_nlink == 1) static_cast<void>(::fchmod(file, quarantined_mode));
        if (error == EEXIST) throw Stopped(taken_again);
        if (error != EXDEV) stop("move it back", error);
        move_across(order, quarantine, directory, name, file, notes);
        return notes;
    }
    // A file is moved by its name, under which its owner may have put something else at the last moment.
    if (!is_there(directory.get(), name, moved) || moved.st_ino != status.st_ino || moved.st_dev != status.st_dev)
        throw Stopped("another program put something else under its name at the last moment");
    sync_directory(directory);
    sync_directory(quarantine);
    ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
    return notes;
}

// A message that was taken out of a mailbox goes back into it.
std::string Restoration::append(const Act& order) const {
    const UniqueFd quarantine = open_quarantine(home_, false);
    if (!quarantine && errno != ENOENT) stop("open the quarantine directory");
    struct stat status {};
    const UniqueFd file = open_kept(order, quarantine, status);
    const std::string relative = below_home(order.path, home_path_);
    const auto [directory_path, name] = split_path(relative);
    if (!file) {
        const UniqueFd mailbox = open_beneath(home_, relative, reading, Crossing::Allowed);
        if (!mailbox || !has_mail(mailbox.get(), order.sha256)) throw Stopped("it is not in the quarantine any more");
        if (quarantine) ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
        return {};
    }
    const UniqueFd directory = open_or_make(std::string(directory_path));
    append_mail(directory, std::string(name), file.get(), order.metadata.mode, still_waiting_);
    if (::unlinkat(quarantine.get(), order.opaque.c_str(), 0) < 0) stop("remove what was put back");
    ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
    sync_directory(quarantine);
    return {};
}

void Restoration::move_across(const Act& order, const UniqueFd& quarantine, const UniqueFd& directory,
                              const std::string& name, int file, std::string& notes) const {
    const std::string beside = beside_name(order.opaque);
    if (!copy_file(file, directory.get(), beside, order.sha256)) stop("copy it back");
    const UniqueFd copy(::openat(directory.get(), beside.c_str(), reading));
    if (!copy) stop("open its copy");
    notes.clear();
    set_metadata(copy.get(), order, notes);
    if (!move_without_replacing(directory.get(), beside, directory.get(), name)) {
        const int error = errno;
        ::unlinkat(directory.get(), beside.c_str(), 0);
        stop("move it back", error);
    }
    sync_directory(directory);
    if (::unlinkat(quarantine.get(), order.opaque.c_str(), 0) < 0) stop("remove what was copied");
    sync_directory(quarantine);
    ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
}

std::string Restoration::throw_away(const Act& order) const {
    const UniqueFd quarantine = open_quarantine(home_, false);
    if (!quarantine && errno != ENOENT) stop("open the quarantine directory");
    struct stat status {};
    if (!quarantine || !is_there(quarantine.get(), order.opaque, status)) return "it was not there any more";
    // Only the quarantined content is deleted: the owner may need whatever else is there by now.
    const UniqueFd file = open_kept(order, quarantine, status);
    if (!file || ::unlinkat(quarantine.get(), order.opaque.c_str(), 0) < 0) stop("delete it");
    struct stat after {};
    if (::fstat(file.get(), &after) < 0 || after.st_nlink >= status.st_nlink)
        throw Stopped("another program put something else under its name at the last moment; it was not deleted");
    ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
    sync_directory(quarantine);
    return {};
}

}  // namespace clamscanner
