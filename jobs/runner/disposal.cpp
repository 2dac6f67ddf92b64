#include "jobs/runner/disposal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/nanoseconds.h"
#include "auth/base/wire.h"
#include "auth/base/write_all.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/mail_store.h"
#include "jobs/runner/maildir.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_json.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

constexpr const char* changed = "it is no longer the file that was scanned; it was left alone";
constexpr int reading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

bool is_own_file(const struct stat& status) {
    return S_ISREG(status.st_mode) && status.st_uid == ::geteuid();
}

bool is_unchanged(int file, const struct stat& before) {
    struct stat now {};
    return ::fstat(file, &now) == 0 && now.st_size == before.st_size &&
           nanoseconds_of(now.st_mtim) == nanoseconds_of(before.st_mtim) &&
           nanoseconds_of(now.st_ctim) == nanoseconds_of(before.st_ctim);
}

}  // namespace

FileMetadata metadata_of(int file) {
    FileMetadata metadata;
    struct stat status {};
    checked(::fstat(file, &status), "examine a file");
    metadata.owner = status.st_uid;
    metadata.group = status.st_gid;
    metadata.mode = status.st_mode & 07777;
    metadata.atime_ns = nanoseconds_of(status.st_atim);
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

// ---- Several at a time ----------------------------------------------------------------------------------------------

std::vector<Acted> Disposal::act(std::span<const Act> orders) {
    std::vector<Step> steps;
    steps.reserve(orders.size());
    for (const auto& order : orders) steps.emplace_back(order);
    each(steps, &Disposal::find);
    each(steps, &Disposal::write_record);
    each(steps, &Disposal::sync_record);
    sync(steps, &Disposal::quarantine_of_record);
    each(steps, &Disposal::move_away);
    each(steps, &Disposal::compare);
    sync(steps, &Disposal::moved_to);
    sync(steps, &Disposal::moved_from);
    each(steps, &Disposal::end);
    sync(steps, &Disposal::deleted_from);
    std::vector<Acted> acted;
    for (auto& step : steps) acted.push_back(std::move(step.acted));
    for (std::size_t i = 0; i < acted.size(); ++i) {
        acted[i].token = orders[i].token;
        acted[i].message.resize(std::min(acted[i].message.size(), longest_message));
    }
    return acted;
}

Acted Disposal::act(const Act& order) {
    return std::move(act(std::span(&order, 1)).front());
}

void Disposal::each(std::vector<Step>& steps, void (Disposal::*what)(Step&) const) const {
    for (auto& step : steps) {
        if (step.over) continue;
        try {
            (this->*what)(step);
        } catch (const Stopped& stopped) {
            fail(step, stopped.what());
        }
    }
}

// Each directory once, however many files it concerns.
void Disposal::sync(std::vector<Step>& steps, const UniqueFd* (Disposal::*of)(const Step&) const) const {
    std::map<std::pair<dev_t, ino_t>, int> errors;
    for (auto& step : steps) {
        const UniqueFd* const directory = (this->*of)(step);
        struct stat status {};
        if (directory == nullptr || !*directory) continue;
        if (::fstat(directory->get(), &status) < 0) status = {};
        const auto [known, fresh] = errors.try_emplace({status.st_dev, status.st_ino}, 0);
        if (fresh && ::fsync(directory->get()) < 0) known->second = errno;
        if (known->second == 0) continue;
        if (step.over)
            note(step.acted.message, "a loss of power may bring it back");
        else
            fail(step, failure_of("make the change durable", known->second));
    }
}

const UniqueFd* Disposal::quarantine_of_record(const Step& step) const {
    return !step.over && step.record ? &step.quarantine : nullptr;
}

const UniqueFd* Disposal::moved_to(const Step& step) const {
    return step.over ? nullptr : &step.moved.directory;
}

const UniqueFd* Disposal::moved_from(const Step& step) const {
    return step.over ? nullptr : &step.source.directory;
}

const UniqueFd* Disposal::deleted_from(const Step& step) const {
    return step.unlinked ? &step.moved.directory : nullptr;
}

// If the file has been moved already, it is put back.
void Disposal::fail(Step& step, const std::string& why) const {
    step.over = true;
    step.acted = {};
    step.acted.state = RecordState::Error;
    step.acted.message = why;
    if (step.record || step.moved.directory) remove_record(step.order);
    if (!step.moved.directory) return;
    struct stat status {};
    if (!is_there(step.moved.directory.get(), step.moved.name, status)) {
        note(step.acted.message, "another program moved it away meanwhile");
        return;
    }
    try {
        put_back(step.order, step.moved, step.source);
    } catch (const Stopped& stopped) {
        step.acted.message = stopped.what();
    }
}

void Disposal::finish(Step& step, Acted acted) {
    step.acted = std::move(acted);
    step.over = true;
}

// ---- One after the other --------------------------------------------------------------------------------------------

void Disposal::find(Step& step) const {
    const Act& order = step.order;
    step.source = locate(order.path);
    if (order.again) {
        Entry moved = moved_before(order.path, order.opaque, step.source);
        if (order.put_back) return finish(step, undo(order, step.source, moved));
        step.moved = std::move(moved);
        if (step.moved.directory) return;
    }
    struct stat status {};
    if (!step.source.directory || !is_there(step.source.directory.get(), step.source.name, status)) {
        if (!order.again || order.action != Action::Delete) throw Stopped("the file has vanished");
        // Both names are gone and a delete was intended, so the crash came between the unlink and its record. (Another
        // program may have moved the file away instead; we cannot tell.)
        Acted acted;
        acted.state = RecordState::Deleted;
        acted.message = "it was already gone when this resumed after an interruption";
        return finish(step, std::move(acted));
    }
    if (!is_own_file(status)) throw Stopped(changed);
}

void Disposal::write_record(Step& step) const {
    if (step.moved.directory || step.order.action != Action::Quarantine) return;
    step.quarantine = open_quarantine(home_, true);
    if (!step.quarantine) stop("open the quarantine directory");
    step.record = new_record(step.order, step.quarantine);
}

void Disposal::sync_record(Step& step) const {
    if (step.record && ::fsync(step.record.get()) < 0) stop("write the quarantine's record");
}

Disposal::Entry Disposal::locate(const std::string& path) const {
    const std::string relative = below_home(path, home_path_);
    const auto [directory, name] = split_path(relative);
    Entry entry{open_beneath(home_, directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed), std::string(name)};
    struct stat status {};
    if (entry.directory && is_there(entry.directory.get(), entry.name, status)) return entry;
    const auto moved = moved_mail(home_, relative);
    if (!moved) return entry;
    const auto [new_directory, new_name] = split_path(*moved);
    return {open_beneath(home_, new_directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed), std::string(new_name)};
}

Disposal::Entry Disposal::moved_before(const std::string& path, const std::string& opaque, const Entry& source) const {
    struct stat status {};
    UniqueFd quarantine = open_quarantine(home_, false);
    if (quarantine && is_there(quarantine.get(), opaque, status)) return {std::move(quarantine), opaque};
    const std::string beside = beside_name(opaque);
    if (source.directory && is_there(source.directory.get(), beside, status))
        return {UniqueFd(checked(::fcntl(source.directory.get(), F_DUPFD_CLOEXEC, 3), "keep a directory")), beside};
    // A Maildir message may have been renamed before, and with that have changed its directory.
    for (const auto& directory : maildir_directories(home_, below_home(path, home_path_))) {
        UniqueFd other = open_beneath(home_, directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed);
        if (other && is_there(other.get(), beside, status)) return {std::move(other), beside};
    }
    return {};
}

// Not synced yet.
UniqueFd Disposal::new_record(const Act& order, const UniqueFd& quarantine) const {
    const QuarantineRecord record{order.path,     order.virus,     order.sha256, order.identity,
                                  order.metadata, ::time(nullptr), home_path_};
    remove_record(order);  // left by an attempt that crashed
    UniqueFd out(::openat(quarantine.get(), record_name(order.opaque).c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out) stop("write the quarantine's record");
    if (write_all(out.get(), quarantine_json(record))) return out;
    const int error = errno;
    remove_record(order);
    stop("write into the quarantine", error);
}

void Disposal::remove_record(const Act& order) const {
    if (const UniqueFd quarantine = open_quarantine(home_, false))
        ::unlinkat(quarantine.get(), record_name(order.opaque).c_str(), 0);
}

void Disposal::move_away(Step& step) const {
    const auto& [order, source] = std::tie(step.order, step.source);
    if (step.moved.directory) return;
    UniqueFd quarantine = open_quarantine(home_, true);
    if (quarantine && move_without_replacing(source.directory.get(), source.name, quarantine.get(), order.opaque)) {
        step.moved = {std::move(quarantine), order.opaque};
        return;
    }
    if (quarantine && errno == ENOENT) throw Stopped("the file has vanished");
    // The quarantine is on another file system, or the home is too full to create it: move the file aside in its own
    // directory.
    const std::string beside = beside_name(order.opaque);
    if (!move_without_replacing(source.directory.get(), source.name, source.directory.get(), beside))
        stop("move the file out of its place");
    step.moved = {UniqueFd(checked(::fcntl(source.directory.get(), F_DUPFD_CLOEXEC, 3), "keep a directory")), beside};
}

// Restores the mode that open_moved() may have changed.
void Disposal::put_back(const Act& order, const Entry& moved, const Entry& source) const {
    const UniqueFd file(::openat(moved.directory.get(), moved.name.c_str(), reading));
    struct stat status {};
    if (order.again && file && ::fstat(file.get(), &status) == 0 && is_own_file(status) && status.st_nlink == 1 &&
        (status.st_mode & 07777) == quarantined_mode && ::fchmod(file.get(), order.metadata.mode) < 0)
        stop("set the file's permissions");
    if (!source.directory ||
        !move_without_replacing(moved.directory.get(), moved.name, source.directory.get(), source.name))
        throw Stopped("the file could not be put back, as its old place is gone or taken: it is now " + moved.name);
    sync_directory(moved.directory);
    sync_directory(source.directory);
}

UniqueFd Disposal::open_moved(const std::string& path, const std::string& opaque) const {
    const Entry moved = moved_before(path, opaque, locate(path));
    struct stat status {};
    if (!moved.directory) throw Stopped("it was changed and moved away meanwhile, and is no longer where it was put");
    UniqueFd file(::openat(moved.directory.get(), moved.name.c_str(), reading));
    if (!file) stop("open the file where it was moved to");
    if (::fstat(file.get(), &status) < 0 || !is_own_file(status)) throw Stopped("it is no longer a regular file");
    // Best effort: the verdict depends only on the content.
    if (status.st_nlink == 1) static_cast<void>(::fchmod(file.get(), quarantined_mode));
    return file;
}

bool Disposal::is_moved(const std::string& path, const std::string& opaque) const {
    struct stat status {};
    const Entry moved = moved_before(path, opaque, locate(path));
    return moved.directory && is_there(moved.directory.get(), moved.name, status) && is_own_file(status);
}

void Disposal::compare(Step& step) const {
    const Act& order = step.order;
    struct stat status {};
    step.file = UniqueFd(::openat(step.moved.directory.get(), step.moved.name.c_str(), reading));
    if (!step.file || ::fstat(step.file.get(), &status) < 0 || !is_own_file(status)) throw Stopped(changed);
    if (static_cast<std::uint64_t>(status.st_size) == order.identity.size &&
        content_hash(step.file.get(), order.identity.size) == order.sha256 && is_unchanged(step.file.get(), status)) {
        step.compared = status;
        return;
    }
    differs(step);
}

void Disposal::differs(Step& step) const {
    remove_record(step.order);
    Acted another;
    another.content_differs = true;
    another.metadata = metadata_of(step.file.get());
    finish(step, std::move(another));
}

void Disposal::end(Step& step) const {
    const Act& order = step.order;
    if (!is_unchanged(step.file.get(), step.compared)) return differs(step);  // since the other files' turn
    const bool is_open = is_open_elsewhere(step.file.get());
    const bool is_mail_store = may_hold_mail(home_, below_home(order.path, home_path_), step.file.get(), order.in_mail);
    if (order.action == Action::Delete && !is_mail_store) return destroy(step, is_open);
    Acted acted = keep(order, step.source, step.moved, std::move(step.file));
    acted.may_hold_mail = is_mail_store;
    if (order.action == Action::Delete)
        note(acted.message, "it may hold more than one message, so it was quarantined instead of deleted");
    if (is_open) note(acted.message, "a program has the file open, and may still write into it");
    finish(step, std::move(acted));
}

void Disposal::destroy(Step& step, bool is_open) const {
    struct stat status {};
    struct stat after {};
    if (::fstat(step.file.get(), &status) < 0 || ::unlinkat(step.moved.directory.get(), step.moved.name.c_str(), 0) < 0)
        stop("delete the file");
    step.unlinked = true;
    remove_record(step.order);
    Acted acted;
    if (::fstat(step.file.get(), &after) < 0 || after.st_nlink >= status.st_nlink) {
        acted.message = "another program put something else under its name at the last moment; it was not deleted";
        return finish(step, std::move(acted));
    }
    acted.state = RecordState::Deleted;
    if (status.st_nlink > 1)
        note(acted.message,
             "the file has " + std::to_string(status.st_nlink - 1) + " more names, which are still there");
    if (is_open) note(acted.message, "a program still has it open; its content exists until that program closes it");
    finish(step, std::move(acted));
}

Acted Disposal::keep(const Act& order, const Entry& source, const Entry& moved, UniqueFd file) const {
    const UniqueFd quarantine = open_quarantine(home_, true);
    if (!quarantine) stop("open the quarantine directory");
    struct stat status {};
    Acted acted;
    try {
        if (!is_there(quarantine.get(), record_name(order.opaque), status)) {
            const UniqueFd record = new_record(order, quarantine);
            if (::fsync(record.get()) < 0) stop("write the quarantine's record");
            sync_directory(quarantine);
        }
    } catch (const Stopped&) {
        // The record is only for the owner to read; jobd's database counts.
        note(acted.message, "its record could not be written into the quarantine");
    }
    if (::fstat(file.get(), &status) < 0) stop("examine the file");
    if (moved.name != order.opaque) file = copy_into(quarantine, order, moved, file.get());
    if (moved.name == order.opaque && status.st_nlink > 1 && !order.put_back) {
        // Further hard links share its permissions, which therefore stay as they are. So a copy with mode 0400 is kept
        // instead; otherwise the next scan would find the file here, still usable.
        try {
            file = copy_into(quarantine, order, moved, file.get());
        } catch (const Stopped&) {
            note(acted.message, "it could not be copied, so what is kept has the permissions that it had");
        }
    }
    remove_original(order, source);
    if (status.st_nlink > 1)
        note(acted.message,
             "the file has " + std::to_string(status.st_nlink - 1) + " more names, which are still there");
    if (::fstat(file.get(), &status) < 0) stop("examine the file");
    if (status.st_nlink == 1 && ::fchmod(file.get(), quarantined_mode) < 0)
        note(acted.message, "its permissions could not be taken away");
    acted.state = RecordState::Quarantined;
    acted.device = status.st_dev;
    acted.inode = status.st_ino;
    return acted;
}

// Removes the file that was moved aside, if a crash came after it was copied into the quarantine.
void Disposal::remove_original(const Act& order, const Entry& source) const {
    const std::string beside = beside_name(order.opaque);
    const UniqueFd file(source.directory ? ::openat(source.directory.get(), beside.c_str(), reading) : -1);
    if (file && content_hash(file.get(), order.identity.size) == order.sha256)
        ::unlinkat(source.directory.get(), beside.c_str(), 0);
}

// The moved file is not infected, so it goes back. If its old place is taken, it stays in the quarantine, from where it
// can be restored.
Acted Disposal::undo(const Act& order, const Entry& source, const Entry& moved) const {
    struct stat status {};
    Acted acted;
    acted.state = RecordState::NoAction;
    if (!moved.directory || !is_there(moved.directory.get(), moved.name, status) || !is_own_file(status)) {
        // An attempt that crashed may have put it back.
        if (source.directory && is_there(source.directory.get(), source.name, status)) return acted;
        throw Stopped("it was moved away meanwhile, and is no longer where it was put");
    }
    UniqueFd file(::openat(moved.directory.get(), moved.name.c_str(), reading));
    if (file && !order.sha256.empty() && content_hash(file.get(), order.identity.size) != order.sha256) {
        acted.content_differs = true;  // the scan was of another content
        return acted;
    }
    if (source.directory && !is_there(source.directory.get(), source.name, status)) {
        put_back(order, moved, source);
        remove_record(order);
        return acted;
    }
    if (!file) stop("open the file where it was moved to");
    acted = keep(order, source, moved, std::move(file));
    note(acted.message, "its old place is gone or taken, so it was not put back");
    return acted;
}

// Copies a file that was moved aside on another file system, or one in the quarantine that has further hard links. The
// copy is compared and synced before the original is removed or replaced.
UniqueFd Disposal::copy_into(const UniqueFd& quarantine, const Act& order, const Entry& moved, int file) const {
    const std::string partial = order.opaque + ".partial";
    if (!copy_file(file, quarantine.get(), partial, order.sha256)) stop("copy the file into the quarantine");
    UniqueFd copy(::openat(quarantine.get(), partial.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    if (!copy) stop("copy the file into the quarantine");
    const timespec times[2] = {timespec_of(order.metadata.atime_ns), timespec_of(order.identity.mtime_ns)};
    const bool replaces = moved.name == order.opaque;
    if (::futimens(copy.get(), times) < 0 || ::fsync(copy.get()) < 0 ||
        (replaces ? ::renameat(quarantine.get(), partial.c_str(), quarantine.get(), order.opaque.c_str()) < 0
                  : !move_without_replacing(quarantine.get(), partial, quarantine.get(), order.opaque))) {
        const int error = errno;
        ::unlinkat(quarantine.get(), partial.c_str(), 0);
        stop("copy the file into the quarantine", error);
    }
    sync_directory(quarantine);
    if (replaces) return copy;
    if (::unlinkat(moved.directory.get(), moved.name.c_str(), 0) < 0) stop("remove what was copied");
    sync_directory(moved.directory);
    return copy;
}

}  // namespace clamscanner
