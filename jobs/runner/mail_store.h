// What a file is to those who keep mail in files. What may hold more than one letter is never deleted whole: good
// letters would go with the infected one. When in doubt a file is taken for such a store, since all that follows is
// that it can be restored. Run by the runner, as the account's own user; paths and bytes are foreign.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

// All of these: `home` is the home's descriptor, `path` is below it, `file` is open for reading and its offset does not
// move. Throw Stopped (careful_moves.h), in words for the owner, when the file cannot be read.

// In cur/ or new/ of a Maildir, where each file is one letter, however it begins.
[[nodiscard]] bool is_maildir_letter(int home, std::string_view path);

// A mailbox of many letters (mbox) that we understand, so that single letters can be taken out of it.
[[nodiscard]] bool is_mailbox(int home, std::string_view path, int file);

// A mailbox, or anything else that may hold more than one letter: by its place (`in_mail`: below the directory that is
// scanned as mail), by its first bytes, or because more than one letter seems to begin in it.
[[nodiscard]] bool may_hold_letters(int home, std::string_view path, int file, bool in_mail);

// How many letters seem to begin in it, but not more than wanted: a large store need not be read to its end.
[[nodiscard]] unsigned letters_in(int file, unsigned wanted);

// ---- Of which it is made, for tests

// The first bytes, at least 64 where there are so many, are those of a known store.
[[nodiscard]] bool begins_as_mail_store(std::string_view head) noexcept;
// A name that mail programs and servers give to stores and to what they keep beside them.
[[nodiscard]] bool is_named_as_mail_store(std::string_view path) noexcept;

// Counts what letters begin with, in bytes that come in any pieces: postmarks (mbox.h), and blocks of mail headers (RFC
// 5322, 2.2), which are runs of header fields with one among them that only mail has, and more than one field or an
// empty line behind it. Any control character but a tab ends a line, so that blocks between the binary marks of a store
// are found, too.
class Letters {
 public:
    void read(std::string_view bytes);
    // Counts one that the end of the file ends.
    void end();
    [[nodiscard]] unsigned count() const noexcept { return postmarks_ > blocks_ ? postmarks_ : blocks_; }

 private:
    void end_line();

    std::string line_;  // its beginning, at most longest_postmark bytes
    bool after_return_ = false;
    unsigned fields_ = 0;  // of the run that we are in
    bool is_mail_ = false;
    unsigned blocks_ = 0;
    unsigned postmarks_ = 0;
};

}  // namespace clamscanner
