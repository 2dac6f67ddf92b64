// What moving files in a home has in common, there and back: nothing is ever replaced, no link followed, and each
// change made durable before the next rests on it. Run as the account's own user, by the runner.
#pragma once

#include <sys/stat.h>

#include <stdexcept>
#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// What stops a step, in words for the owner.
struct Stopped : std::runtime_error {
    using std::runtime_error::runtime_error;
};
[[noreturn]] void stop(const std::string& attempted, int error = errno);

// One remark more for the owner.
void note(std::string& notes, const std::string& text);

// Whether another program has this file of ours open, as far as the kernel tells: it gives a lease on what nobody else
// has open to the file's owner alone (fcntl(2), F_SETLEASE).
[[nodiscard]] bool is_open_elsewhere(int file) noexcept;

// The names that a file takes in the quarantine and beside its own place, and that of its record.
[[nodiscard]] std::string record_name(const std::string& opaque);
[[nodiscard]] std::string beside_name(const std::string& opaque);

// The account's own directory with mode 0700, else none, with errno set.
[[nodiscard]] UniqueFd open_quarantine(int home, bool create);

[[nodiscard]] bool is_there(int directory, const std::string& name, struct stat& status);

// False, with errno set, when it could not be moved. Where the file system has no RENAME_NOREPLACE (NFS), a link and an
// unlink do the same.
[[nodiscard]] bool move_without_replacing(int from, const std::string& name, int to, const std::string& new_name);

// Throws Stopped.
void sync_directory(const UniqueFd& directory);

// A copy of `file` in a file of its own in `directory`, which is synced and compared with the hash. False, with errno
// set, and nothing left, when that did not work.
[[nodiscard]] bool copy_file(int file, int directory, const std::string& name, const std::string& sha256);

// `path` without the home before it; throws Malformed when it is not below the home.
[[nodiscard]] std::string below_home(const std::string& path, const std::string& home_path);

}  // namespace clamscanner
