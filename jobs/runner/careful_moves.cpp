#include "jobs/runner/careful_moves.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstring>

#include "auth/base/checked.h"
#include "auth/base/wire.h"
#include "auth/base/write_all.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

bool copy_bytes(int from, int to) {
    char chunk[64 * 1024];
    for (off_t at = 0;;) {
        const auto got = uninterrupted([&] { return ::pread(from, chunk, sizeof chunk, at); });
        if (got < 0) return false;
        if (got == 0) return true;
        if (!write_all(to, {chunk, static_cast<std::size_t>(got)})) return false;
        at += got;
    }
}

}  // namespace

std::string failure_of(const std::string& attempted, int error) {
    return "could not " + attempted + ": " + std::strerror(error) + "; the file was left alone";
}

void stop(const std::string& attempted, int error) {
    throw Stopped(failure_of(attempted, error));
}

void note(std::string& notes, const std::string& text) {
    notes += (notes.empty() ? "" : "; ") + text;
}

bool is_open_elsewhere(int file) noexcept {
    struct statfs system {};
    // NFS also returns EAGAIN when it has no delegation.
    if (::fstatfs(file, &system) < 0 || system.f_type == NFS_SUPER_MAGIC) return false;
    // If a program opens the file at this moment, the kernel signals us; SIGURG is ignored by default.
    if (::fcntl(file, F_SETSIG, SIGURG) < 0) return false;
    if (::fcntl(file, F_SETLEASE, F_WRLCK) < 0) return errno == EAGAIN;
    ::fcntl(file, F_SETLEASE, F_UNLCK);
    return false;
}

std::string record_name(const std::string& opaque) {
    return opaque + ".json";
}

std::string beside_name(const std::string& opaque) {
    return ".clamscanner." + opaque;
}

UniqueFd open_quarantine(int home, bool create) {
    if (create && ::mkdirat(home, quarantine_directory, 0700) < 0 && errno != EEXIST) return {};
    UniqueFd directory =
        open_beneath(home, quarantine_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Crossing::Allowed);
    struct stat status {};
    if (!directory || ::fstat(directory.get(), &status) < 0) return {};
    if (status.st_uid != ::geteuid()) {
        errno = EPERM;
        return {};
    }
    // The owner may have changed the mode; nobody else may look inside.
    if ((status.st_mode & 07777) != 0700 && ::fchmod(directory.get(), 0700) < 0) return {};
    return directory;
}

bool is_there(int directory, const std::string& name, struct stat& status) {
    return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool move_without_replacing(int from, const std::string& name, int to, const std::string& new_name) {
    if (::renameat2(from, name.c_str(), to, new_name.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    return ::linkat(from, name.c_str(), to, new_name.c_str(), 0) == 0 && ::unlinkat(from, name.c_str(), 0) == 0;
}

void sync_directory(const UniqueFd& directory) {
    if (::fsync(directory.get()) < 0) stop("make the change durable");
}

bool copy_file(int file, int directory, const std::string& name, const std::string& sha256) {
    ::unlinkat(directory, name.c_str(), 0);  // left by an attempt that crashed
    const UniqueFd copy(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!copy) return false;
    if (copy_bytes(file, copy.get()) && ::fsync(copy.get()) == 0) {
        if (content_hash(copy.get()) == sha256) return true;
        errno = EIO;
    }
    const int error = errno;
    ::unlinkat(directory, name.c_str(), 0);
    errno = error;
    return false;
}

std::string below_home(const std::string& path, const std::string& home_path) {
    const std::string prefix = home_path.ends_with('/') ? home_path : home_path + "/";
    if (!path.starts_with(prefix) || path.size() == prefix.size()) throw Malformed("a path is not below the home");
    return path.substr(prefix.size());
}

}  // namespace clamscanner
