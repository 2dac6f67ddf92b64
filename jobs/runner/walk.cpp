#include "jobs/runner/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "auth/base/checked.h"
#include "auth/base/wire.h"
#include "jobs/runner/beneath.h"
#include "jobs/runner/mounts.h"
#include "jobs/runner/quarantine_entry.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

constexpr auto progress_interval = std::chrono::milliseconds(250);
// The home's own path stands before it in every message, and a file's name behind a directory's.
constexpr std::size_t longest_directory = longest_path - 4096 - NAME_MAX - 2;

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// With the slash that tells a directory; the start itself has no name of its own.
std::string name_of_directory(const std::string& path) {
    return path.empty() ? path : path + "/";
}

UnscannedReason reason_of(int error) noexcept {
    if (error == EXDEV) return UnscannedReason::OtherFileSystem;
    return error == ENOENT || error == ENOTDIR || error == ELOOP ? UnscannedReason::Vanished
                                                                 : UnscannedReason::Unreadable;
}

}  // namespace

Walk::Walk(int home, const std::vector<LeaveOut>& left_out, Told told) : home_(home), told_(std::move(told)) {
    for (const auto& file : left_out) left_out_[std::string(quarantine_directory) + "/" + file.opaque] = file;
}

void Walk::list(const std::string& directory, PathList& list) {
    // Before anything is told: a directory that is not there is the whole scan's failure, not an unreadable file's.
    const UniqueFd start = open_beneath(home_, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK, Crossing::Allowed);
    if (!start) throw_errno("open the directory to scan");
    // Its owner answers for every read of it, and may answer the scanner otherwise than everybody else.
    if (is_mounted_by_user(start.get(), ::geteuid()))
        throw_errno("a file system that the account has mounted by itself (FUSE) is not scanned", EPERM);
    pending_.push_back({directory, 0, 0});
    while (!pending_.empty()) {
        const Directory next = std::move(pending_.back());
        pending_.pop_back();
        list_one(next, list);
    }
    progress_.list_bytes = list.finish();
    tell_progress(true);
}

void Walk::list_one(const Directory& listed, PathList& list) {
    const std::string& directory = listed.path;
    // The directory to scan may be a mount point; what is mounted below it is another matter, told by take().
    UniqueFd fd = open_beneath(home_, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK, Crossing::Allowed);
    struct stat status {};
    // Another directory under its name was met elsewhere, or will be; or never.
    if (fd && listed.inode != 0 &&
        (::fstat(fd.get(), &status) < 0 || status.st_ino != listed.inode || status.st_dev != listed.device)) {
        fd.reset();
        errno = ENOENT;
    }
    std::unique_ptr<DIR, CloseDirectory> entries(fd ? ::fdopendir(fd.get()) : nullptr);
    if (!entries) {
        ++progress_.files;
        told_.unreadable(name_of_directory(directory), reason_of(errno));
        return;
    }
    const int parent = fd.release();
    const std::size_t before = pending_.size();
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(entries.get());
        if (entry == nullptr) break;
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
        std::string path = directory.empty() ? entry->d_name : directory + "/" + entry->d_name;
        take(parent, entry->d_name, path, list);
    }
    if (errno != 0) {
        // Not all of it could be listed: whatever is missing has no name but the directory's.
        ++progress_.files;
        told_.unreadable(name_of_directory(directory), UnscannedReason::Unreadable);
    }
    // In the order in which the directory names them.
    std::reverse(pending_.begin() + static_cast<std::ptrdiff_t>(before), pending_.end());
}

void Walk::take(int parent, const char* name, const std::string& path, PathList& list) {
    struct stat status {};
    struct stat above {};
    if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        // One that has gone since the listing, too: it may have gone to where the walk does not come any more.
        ++progress_.files;
        told_.unreadable(path, reason_of(errno));
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        if (path.size() > longest_directory) {
            ++progress_.files;
            told_.unreadable(path + "/", UnscannedReason::Unreadable);
        } else if (::fstat(parent, &above) == 0 && above.st_dev != status.st_dev) {
            ++progress_.files;
            told_.unreadable(path + "/", UnscannedReason::OtherFileSystem);
        } else {
            pending_.push_back({path, status.st_dev, status.st_ino});
        }
    } else if (S_ISREG(status.st_mode) && !is_left_out(parent, name, path)) {
        ++progress_.files;
        progress_.bytes += static_cast<std::uint64_t>(status.st_size);
        list.append(path);
        tell_progress(false);
    }
}

bool Walk::is_left_out(int parent, const char* name, const std::string& path) const {
    const auto recorded = left_out_.find(path);
    return recorded != left_out_.end() && recorded->second.opaque == name &&
           static_cast<bool>(open_recorded(parent, recorded->second));
}

void Walk::tell_progress(bool walked) {
    const auto now = std::chrono::steady_clock::now();
    if (!walked && now - told_at_ < progress_interval) return;
    told_at_ = now;
    progress_.walked = walked;
    told_.progress(progress_);
}

}  // namespace clamscanner
