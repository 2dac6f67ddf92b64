// Puts a quarantined file back where it was, as it was, or deletes it for good, as the account's own user. What jobd
// recorded decides: place, content, metadata. Whatever lies in the home meanwhile under the file's opaque name is only
// believed to be it when its content has the recorded SHA-256; nothing at the old place is ever replaced. Both may be
// asked for again after any crash, and then go on.
//
// The order of a restore, and what a crash after each step leaves (jobd recorded the intent before it sent the Act):
//   1  directories made again, synced            → again
//   2  metadata set on the quarantined file      → again: the file is still in the quarantine, for nobody else to open
//   3  the move to its old place, never over another file; both directories synced
//                                                → the old place holds that inode, or that content: it is restored
//   4  the record beside removed                 → again
// and jobd records the step and forgets the file. From another file system, 3 is a copy under an opaque name beside the
// old place, synced and compared, its move to the name, and only then the end of the original.
#pragma once

#include <functional>
#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class Restoration {
 public:
    // `home` is the descriptor of `home_path` and stays open as long as this lives.
    // `still_waiting`: called every few seconds while a mailbox is locked by others.
    Restoration(
        int home, std::string home_path, std::function<void()> still_waiting = [] {})
        : home_(home), home_path_(std::move(home_path)), still_waiting_(std::move(still_waiting)) {}

    // Never throw for what the file system refuses: that is an Acted with state Error and a message for the owner.
    [[nodiscard]] Acted restore(const Act& order) const;
    // NoAction: what lies there is not what was put there, so it was left alone.
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
