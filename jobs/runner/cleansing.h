// Takes the infected messages out of a mailbox, as the account's own user, and keeps each in the quarantine. Other mail
// programs may deliver into the mailbox and read it meanwhile: it is locked as they lock it, and rewritten in place,
// because some of them go on with the file that they opened before they waited (mailbox_lock.h). Whatever was recorded
// as judged decides: a message is only taken out if its content has the SHA-256 of one that was found infected. The
// same may be asked for again after any crash, and then goes on.
//
// The order, and what a crash after each step leaves (jobd recorded the intent, with the hash and the name of each
// infected message, before it sent the Act). All of it under the mailbox's two locks, which end with this process:
//   1  a copy of all of it in the quarantine, synced   → the mailbox is whole: begin again
//   2  the infected messages and their records there   → the mailbox is whole: begin again
//   3  what stays written over the mailbox, synced     → see below
//   4  the mailbox cut to its new length, synced       → go on with 5
//   5  the copy removed                                → nothing is left to do
//
// A copy that is found says that 3 may have begun. With the copy it is known what the mailbox was and what it is to
// become, and as long as each of its bytes is one of the two, nobody but us was in it: 3 is done again. Mail that was
// delivered after the crash stands behind the old end; it is first kept in the quarantine too, because 3 would have to
// move it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

struct Cleansed {
    Acted acted;
    std::vector<Saved> saved;  // none of the messages was in the mailbox any more: none
};

class Cleansing {
 public:
    // `home` is the descriptor of `home_path` and stays open as long as this lives.
    // `still_waiting`: called every few seconds while the mailbox is locked by others.
    Cleansing(
        int home, std::string home_path, std::function<void()> still_waiting = [] {})
        : home_(home), home_path_(std::move(home_path)), still_waiting_(std::move(still_waiting)) {}

    // Never throws for what the file system refuses: that is an Acted with state Error and a message for the owner, and
    // the mailbox is as it was unless the message says otherwise.
    [[nodiscard]] Cleansed cleanse(const Act& order, const std::vector<CutMessage>& cuts) const;

 private:
    class Attempt;

    int home_;
    std::string home_path_;
    std::function<void()> still_waiting_;
};

}  // namespace clamscanner
