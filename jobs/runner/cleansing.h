// Moves the infected messages of a mailbox into the quarantine, as the account's own user. Other mail programs may use
// the mailbox meanwhile: it is locked as they lock it, and rewritten in place, because some of them open it before they
// wait for the locks and keep using that file (mailbox_lock.h). A message is taken out only if its content has the
// SHA-256 of one that was found infected. After a crash the order can be repeated, and then resumes.
//
// The steps, and what a crash after each of them leaves (jobd recorded the intent, with the hash and the name of each
// infected message, before it sent the Act). The mailbox's two locks are held throughout:
//   1  a copy of all of it in the quarantine, synced   → the mailbox is whole: begin again
//   2  the infected messages and their records there   → the mailbox is whole: begin again
//   3  what stays written over the mailbox, synced     → see below
//   4  the mailbox cut to its new length, synced       → go on with 5
//   5  the copy removed                                → nothing is left to do
//
// If a copy is found, 3 may have begun. The copy shows what the mailbox was and what it is to become; as long as each
// byte of the mailbox is one of the two, no other program has changed it, and 3 is done again. Mail that was delivered
// after the crash follows the old end; it is first saved in the quarantine as well, because 3 has to move it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

struct Cleansed {
    Acted acted;
    std::vector<Saved> saved;  // empty if none of the messages was still in the mailbox
};

class Cleansing {
 public:
    // `home` is the descriptor of `home_path` and must stay open as long as this lives. `still_waiting`: called every
    // few seconds while other programs keep the mailbox locked.
    Cleansing(
        int home, std::string home_path, std::function<void()> still_waiting = [] {})
        : home_(home), home_path_(std::move(home_path)), still_waiting_(std::move(still_waiting)) {}

    // Does not throw if the file system refuses something: it returns an Acted with state Error and a message for the
    // owner, and the mailbox is unchanged unless the message says otherwise.
    [[nodiscard]] Cleansed cleanse(const Act& order, const std::vector<CutMail>& cuts) const;

 private:
    class Attempt;

    int home_;
    std::string home_path_;
    std::function<void()> still_waiting_;
};

}  // namespace clamscanner
