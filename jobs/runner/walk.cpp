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
#include "jobs/runner/quarantine_entry.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/mounts.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

constexpr auto progress_interval = std::chrono::milliseconds(250);
// In packets the home's path precedes a directory's, and a file's name follows it.
constexpr std::size_t longest_directory = longest_path - 4096 - NAME_MAX - 2;

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// With the slash that marks a directory; the directory to scan itself has an empty path.
std::string directory_name(const std::string& path) {
    return path.empty() ? path : path + "/";
}

UnscannedReason reason_of(int error) noexcept {
    if (error == EXDEV) return UnscannedReason::OtherFileSystem;
    return error == ENOENT || error == ENOTDIR || error == ELOOP ? UnscannedReason::Vanished
                                                                 : UnscannedReason::Unreadable;
}

}  // namespace

Walk::Walk(int home, const std::vector<ScanQuarantined>& quarantined, Callbacks callbacks)
    : home_(home), callbacks_(std::move(callbacks)) {
    for (const auto& file : quarantined) quarantined_[std::string(quarantine_directory) + "/" + file.opaque] = file;
}

void Walk::list(const std::string& directory, PathList& list) {
    // Before anything is reported: if the directory to scan is missing, the whole scan fails.
    const UniqueFd start = open_beneath(home_, directory, O_PATH | O_DIRECTORY, Crossing::Allowed);
    if (!start) throw_errno("open the directory to scan");
    // Its owner's program answers every read, if it answers at all, and may give the scanner other bytes than everybody
    // else.
    if (is_mounted_by_user(start.get(), ::geteuid()))
        throw_errno("a file system that the account has mounted by itself (FUSE) is not scanned", EPERM);
    if (!open_beneath(start.get(), "", O_RDONLY | O_DIRECTORY | O_NONBLOCK, Crossing::Allowed))
        throw_errno("read the directory to scan");
    pending_.push_back({directory, 0, 0});
    while (!pending_.empty()) {
        const Directory next = std::move(pending_.back());
        pending_.pop_back();
        list_directory(next, list);
    }
    progress_.list_bytes = list.finish();
    report_progress(true);
}

void Walk::list_directory(const Directory& listed, PathList& list) {
    const std::string& directory = listed.path;
    // The directory to scan may be a mount point; mounts below it are reported by visit().
    UniqueFd fd = open_beneath(home_, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK, Crossing::Allowed);
    struct stat status {};
    // If another directory has its name now, it is not listed here: the walk may meet it elsewhere.
    if (fd && (::fstat(fd.get(), &status) < 0 ||
               (listed.inode != 0 && (status.st_ino != listed.inode || status.st_dev != listed.device)))) {
        fd.reset();
        errno = ENOENT;
    }
    std::unique_ptr<DIR, CloseDirectory> entries(fd ? ::fdopendir(fd.get()) : nullptr);
    if (!entries) {
        ++progress_.files;
        callbacks_.unreadable(directory_name(directory), reason_of(errno));
        return;
    }
    const Parent parent{fd.release(), status.st_dev};
    const std::size_t before = pending_.size();
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(entries.get());
        if (entry == nullptr) break;
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
        std::string path = directory.empty() ? entry->d_name : directory + "/" + entry->d_name;
        visit(parent, entry->d_name, path, list);
    }
    if (errno != 0) {
        // The directory could not be listed completely; the missing entries are reported under its name.
        ++progress_.files;
        callbacks_.unreadable(directory_name(directory), UnscannedReason::Unreadable);
    }
    // Keeps subdirectories in the order of the directory's entries.
    std::reverse(pending_.begin() + static_cast<std::ptrdiff_t>(before), pending_.end());
}

void Walk::visit(const Parent& parent, const char* name, const std::string& path, PathList& list) {
    struct stat status {};
    if (::fstatat(parent.fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        // Report entries that have vanished since, too: they may have moved to where the walk has been already.
        ++progress_.files;
        callbacks_.unreadable(path, reason_of(errno));
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        if (path.size() > longest_directory) {
            ++progress_.files;
            callbacks_.unreadable(path + "/", UnscannedReason::Unreadable);
        } else if (parent.device != status.st_dev) {
            ++progress_.files;
            callbacks_.unreadable(path + "/", UnscannedReason::OtherFileSystem);
        } else {
            pending_.push_back({path, status.st_dev, status.st_ino});
        }
    } else if (S_ISREG(status.st_mode) && !is_quarantined(parent.fd, name, path)) {
        ++progress_.files;
        progress_.bytes = sum_of_bytes(progress_.bytes, static_cast<std::uint64_t>(status.st_size));
        list.append(path);
        callbacks_.listed(path);
        report_progress(false);
    }
}

bool Walk::is_quarantined(int parent, const char* name, const std::string& path) const {
    const auto recorded = quarantined_.find(path);
    return recorded != quarantined_.end() && recorded->second.opaque == name &&
           static_cast<bool>(open_recorded(parent, recorded->second));
}

void Walk::report_progress(bool walked) {
    const auto now = std::chrono::steady_clock::now();
    if (!walked && now - progress_sent_at_ < progress_interval) return;
    progress_sent_at_ = now;
    progress_.walked = walked;
    callbacks_.progress(progress_);
}

}  // namespace clamscanner
