// Splits a mailbox of many messages (mbox) into its messages: ranges of bytes, one after another, that together cover
// the file exactly once. Run by the runner, as the account's user; every byte is foreign, and the file's own user may
// rewrite or cut it while it is read.
//
// A message begins where the file does, or with a postmark ("From " line) after an empty line. No standard says what a
// postmark looks like; RFC 4155, appendix A, gives the form that most programs write, and is_postmark() takes what the
// readers in use take (dovecot 2.3's mbox_from_parse(), mutt's is_from(), UW c-client's VALID, whose forms are listed
// there). A body's line "From here on we…" is none. The empty line is what libclamav asks for, too; dovecot and mutt do
// without, so what they show as two messages, with no empty line between them, is one here.
//
// Content-Length is not heeded: not everything that writes a mailbox sees to it that it is true, and one that a sender
// made up would let a message swallow, or hide in, its neighbours. The price: dovecot, which writes an honest one,
// leaves postmarks in a body as they are; such a message is taken for several, and may lose a part of itself, but never
// one of a neighbour.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

// Bytes from the start of the file, end exclusive. Never empty.
struct MessageRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    friend bool operator==(const MessageRange&, const MessageRange&) = default;
};

// A postmark that is longer is judged by so many bytes of it, the date among them or not.
inline constexpr std::size_t longest_postmark = 1024;

// `line` is the line's first longest_postmark bytes, with or without its end ("\n", "\r\n").
[[nodiscard]] bool is_postmark(std::string_view line) noexcept;

// Whatever messages are left out, the others still are, one behind the other, a mailbox of the same messages: the empty
// line before a postmark belongs to the message that it ends. Empty lines before the first postmark are that message's.
class MboxReader {
 public:
    static constexpr std::size_t usual_buffer = 64 * 1024;  // bytes read at once, and all that is ever kept of the file

    // `file` is a regular file, opened for reading; it stays open, and the caller's, as long as the reader lives, and
    // its offset does not move. Empty if the file does not begin with a message (an empty file does not, either). What
    // is appended from here on is not read: whoever wants to be sure holds the mailbox's locks, see mailbox_lock.h.
    // Throws std::system_error if the file cannot be read, ENODATA if it has become shorter.
    [[nodiscard]] static std::optional<MboxReader> open(int file, std::size_t buffer = usual_buffer);

    // The next message; empty behind the last one. Throws as open() does, and gives no message after that.
    [[nodiscard]] std::optional<MessageRange> next();

    // The file's size when it was opened, where the last message ends.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
    struct Line {
        std::uint64_t begin = 0;
        bool empty = false;  // nothing but its end
    };
    MboxReader(int file, std::size_t buffer, std::uint64_t size);
    [[nodiscard]] std::optional<Line> next_line();
    [[nodiscard]] std::string_view unread();

    int file_;
    std::uint64_t size_;
    std::vector<char> buffer_;
    std::size_t filled_ = 0;         // bytes in the buffer
    std::size_t at_ = 0;             // of which so many were taken
    std::uint64_t position_ = 0;     // of the next byte, in the file
    std::string head_;               // of the line that was read last
    bool after_empty_line_ = false;  // stands the next line behind an empty one?
    bool finished_ = false;
    std::uint64_t message_ = 0;  // where the message begins that was found, but not given yet
};

}  // namespace clamscanner
