// Recognises files in which programs store mail. A file that may hold more than one mail message is never deleted as a
// whole, because good mail would be lost with the infected one. In doubt a file is taken for such a store: the only
// effect is that it is quarantined, so that it can be restored. Run by the runner, as the account's own user; paths and
// bytes are foreign.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

// In all of these `home` is the home's descriptor, `path` is below it, and `file` is open for reading; its offset does
// not change. They throw Stopped (careful_moves.h), with a text for the owner, if the file cannot be read.

// A file in cur/ or new/ of a Maildir, where each file is one message, whatever it begins with.
[[nodiscard]] bool is_maildir_mail(int home, std::string_view path);

// A mailbox (mbox) that we can parse, so that single messages can be taken out of it.
[[nodiscard]] bool is_mailbox(int home, std::string_view path, int file);

// A mailbox, or any other file that may hold more than one message: by its path (`in_mail`: below the directory that is
// scanned as mail), by its first bytes, or because more than one message seems to begin in it.
[[nodiscard]] bool may_hold_mail(int home, std::string_view path, int file, bool in_mail);

// Counts the messages that seem to begin in it, but stops reading at `wanted` of them.
[[nodiscard]] unsigned count_mail(int file, unsigned wanted);

// ---- Parts of the above, for tests

// Whether the file begins like a known store. `head`: at least its first 64 bytes, if it has that many.
[[nodiscard]] bool begins_as_mail_store(std::string_view head) noexcept;
// Whether mail programs or servers give such names to stores or to the files that they keep with them.
[[nodiscard]] bool is_named_as_mail_store(std::string_view path) noexcept;

// Counts the beginnings of messages, in bytes that arrive in any pieces: postmarks (mbox.h), and blocks of mail headers
// (RFC 5322, 2.2), which are runs of header fields that contain a field specific to mail, and have more than one field
// or are followed by an empty line. Any control character but a tab ends a line, so that blocks between the binary
// markers of a store are found, too.
class MailCounter {
 public:
    void read(std::string_view bytes);
    // Ends the input: counts a block of headers at the end of the file.
    void end();
    [[nodiscard]] unsigned count() const noexcept { return postmarks_ > blocks_ ? postmarks_ : blocks_; }

 private:
    void end_line();

    std::string line_;  // the current line's beginning, at most longest_postmark bytes
    bool after_return_ = false;
    unsigned fields_ = 0;  // in the current run of header fields
    bool is_mail_ = false;
    unsigned blocks_ = 0;
    unsigned postmarks_ = 0;
};

}  // namespace clamscanner
