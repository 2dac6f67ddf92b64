#include "jobs/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "auth/checked.h"
#include "auth/wire.h"
#include "jobs/beneath.h"
#include "jobs/content_hash.h"

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

Walk::Walk(int home, std::vector<LeaveOut> left_out, Told told)
    : home_(home), left_out_(std::move(left_out)), told_(std::move(told)) {
    std::sort(left_out_.begin(), left_out_.end(), [](const auto& a, const auto& b) { return a.inode < b.inode; });
}

void Walk::list(const std::string& directory, PathList& list) {
    // Before anything is told: a directory that is not there is the whole scan's failure, not an unreadable file's.
    if (!open_beneath(home_, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK, Crossing::Allowed))
        throw_errno("open the directory to scan");
    pending_.push_back(directory);
    while (!pending_.empty()) {
        const std::string next = std::move(pending_.back());
        pending_.pop_back();
        list_one(next, list);
    }
    progress_.list_bytes = list.finish();
    tell_progress(true);
}

void Walk::list_one(const std::string& directory, PathList& list) {
    // The directory to scan may be a mount point; what is mounted below it is another matter, told by take().
    UniqueFd fd = open_beneath(home_, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK, Crossing::Allowed);
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
        if (entry->d_type == DT_DIR || entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
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
        if (errno == ENOENT) return;  // gone between the listing and the look: it is not there to be scanned
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
            pending_.push_back(path);
        }
    } else if (S_ISREG(status.st_mode) && !is_left_out(parent, name, status.st_dev, status.st_ino)) {
        ++progress_.files;
        progress_.bytes += static_cast<std::uint64_t>(status.st_size);
        list.append(path);
        tell_progress(false);
    }
}

bool Walk::is_left_out(int parent, const char* name, std::uint64_t device, std::uint64_t inode) const {
    const auto [first, last] = std::equal_range(left_out_.begin(), left_out_.end(), LeaveOut{device, inode, {}},
                                                [](const LeaveOut& a, const LeaveOut& b) { return a.inode < b.inode; });
    for (auto known = first; known != last; ++known) {
        if (known->device != device) continue;
        // By inode alone, malware could write itself into a quarantined file and live there unseen.
        const UniqueFd fd(::openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        struct stat opened {};
        if (!fd || ::fstat(fd.get(), &opened) < 0 || opened.st_ino != inode || opened.st_dev != device) return false;
        if (content_hash(fd.get()) == known->sha256) return true;
    }
    return false;
}

void Walk::tell_progress(bool walked) {
    const auto now = std::chrono::steady_clock::now();
    if (!walked && now - told_at_ < progress_interval) return;
    told_at_ = now;
    progress_.walked = walked;
    told_.progress(progress_);
}

}  // namespace clamscanner
