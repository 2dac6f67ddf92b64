// Shared by the code that moves files in a home into and out of the quarantine: no file is ever replaced, no link is
// followed, and each change is durable before the next one depends on it. Run by the runner, as the account's own user.
#pragma once

#include <sys/stat.h>

#include <stdexcept>
#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// Stops a step; the text is for the owner to read.
struct Stopped : std::runtime_error {
    using std::runtime_error::runtime_error;
};
[[nodiscard]] std::string failure_of(const std::string& attempted, int error);
[[noreturn]] void stop(const std::string& attempted, int error = errno);

// Appends a note for the owner.
void note(std::string& notes, const std::string& text);

// Whether another program has this file open, as far as the kernel shows it: it grants the owner of a file a lease only
// if nobody else has the file open (fcntl(2), F_SETLEASE).
[[nodiscard]] bool is_open_elsewhere(int file) noexcept;

// The name of a file's record in the quarantine, and the name that a file gets if it is moved aside in its own
// directory.
[[nodiscard]] std::string record_name(const std::string& opaque);
[[nodiscard]] std::string beside_name(const std::string& opaque);

// The quarantine directory, if it is the account's own; its mode is set to 0700. Empty on error, with errno set.
[[nodiscard]] UniqueFd open_quarantine(int home, bool create);

[[nodiscard]] bool is_there(int directory, const std::string& name, struct stat& status);

// False, with errno set, if the file could not be moved. File systems without RENAME_NOREPLACE (NFS) get a link and an
// unlink instead.
[[nodiscard]] bool move_without_replacing(int from, const std::string& name, int to, const std::string& new_name);

// Throws Stopped.
void sync_directory(const UniqueFd& directory);

// Copies `file` to `name` in `directory`, syncs the copy and compares its hash. On failure returns false with errno
// set, and leaves no copy.
[[nodiscard]] bool copy_file(int file, int directory, const std::string& name, const std::string& sha256);

// `path` without the home before it; throws Malformed when it is not below the home.
[[nodiscard]] std::string below_home(const std::string& path, const std::string& home_path);

}  // namespace clamscanner
