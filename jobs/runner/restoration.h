// Puts a quarantined file back where it was, with its metadata, or deletes it for good, as the account's own user.
// Path, content and metadata are those that jobd recorded. A file under the opaque name is accepted only if its content
// has the recorded SHA-256. Nothing at the old path is ever replaced. After a crash both orders can be repeated, and
// then resume.
//
// The order of a restore, and what a crash after each step leaves (jobd recorded the intent before it sent the Act):
//   1  directories made again, synced            → again
//   2  metadata set on the quarantined file      → again: the file is still in the quarantine, closed to others
//   3  the move to its old place, never over another file; both directories synced
//                                                → the old place holds that inode, or that content: it is restored
//   4  the record removed                        → again
// Then jobd records the step and forgets the file. Between file systems, step 3 makes a copy under an opaque name in
// the old directory, syncs and compares it, renames it to the old name, and only then removes the original.
#pragma once

#include <functional>
#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class Restoration {
 public:
    // `home` is the descriptor of `home_path` and must stay open as long as this lives. `still_waiting`: called every
    // few seconds while other programs keep a mailbox locked.
    Restoration(
        int home, std::string home_path, std::function<void()> still_waiting = [] {})
        : home_(home), home_path_(std::move(home_path)), still_waiting_(std::move(still_waiting)) {}

    // Neither throws if the file system refuses something: it returns an Acted with state Error and a message for the
    // owner.
    [[nodiscard]] Acted restore(const Act& order) const;
    // NoAction: the file there is not the quarantined one, so it was left alone.
    [[nodiscard]] Acted discard(const Act& order) const;

 private:
    [[nodiscard]] std::string put_back(const Act& order) const;
    [[nodiscard]] std::string append(const Act& order) const;
    [[nodiscard]] std::string throw_away(const Act& order) const;
    [[nodiscard]] UniqueFd open_or_make(const std::string& directory) const;
    [[nodiscard]] bool was_put_back(const Act& order, const UniqueFd& directory, const std::string& name) const;
    [[nodiscard]] std::string move_back(const Act& order, const UniqueFd& quarantine, const UniqueFd& directory,
                                        const std::string& name, int file) const;
    void move_across(const Act& order, const UniqueFd& quarantine, const UniqueFd& directory, const std::string& name,
                     int file, std::string& notes) const;

    int home_;
    std::string home_path_;
    std::function<void()> still_waiting_;
};

}  // namespace clamscanner
