// Splits a mailbox (mbox) into its mail messages: consecutive ranges of bytes that together cover the file exactly
// once. Run by the runner, as the account's user. Every byte is foreign, and the file's own user may rewrite or
// truncate it while it is read.
//
// A message begins at the start of the file, or with a postmark ("From " line) after an empty line. No standard defines
// a postmark; RFC 4155, appendix A, gives the form that most programs write, and is_postmark() accepts what common
// readers accept (dovecot 2.3's mbox_from_parse(), mutt's is_from(), UW c-client's VALID; mbox.cpp lists the forms). A
// line "From here on we…" in a body is not a postmark. libclamav requires the empty line, too; dovecot and mutt do not,
// so two messages with no empty line between them are one message here.
//
// Content-Length is ignored: not every program keeps it correct, and with a forged one a message could swallow its
// neighbours or hide in them. The price: dovecot, which writes a correct one, does not quote postmarks in a body; such
// a message is taken for several and may lose a part of itself, but never a part of a neighbour.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

// Bytes from the start of the file, end exclusive. Never empty.
struct MailRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    friend bool operator==(const MailRange&, const MailRange&) = default;
};

// Only this many bytes of a longer postmark are examined, whether they contain the date or not.
inline constexpr std::size_t longest_postmark = 1024;

// `line` is the line's first longest_postmark bytes, with or without its end ("\n", "\r\n").
[[nodiscard]] bool is_postmark(std::string_view line) noexcept;

// If any messages are removed, the others, put together, are still a mailbox of the same messages, because the empty
// line before a postmark belongs to the message before it. Empty lines before the first postmark belong to the first
// message.
class MboxReader {
 public:
    static constexpr std::size_t usual_buffer = 64 * 1024;  // bytes read at once; no more of the file is held in memory

    // `file` is a regular file opened for reading; the caller keeps it open as long as the reader lives, and its offset
    // does not change. Empty if the file does not begin with a message, or is empty. Bytes appended after this are not
    // read; to exclude that, hold the mailbox's locks (mailbox_lock.h). Throws std::system_error if the file cannot be
    // read, ENODATA if it has become shorter.
    [[nodiscard]] static std::optional<MboxReader> open(int file, std::size_t buffer = usual_buffer);

    // The next message; empty after the last one. Throws as open() does, and returns no message after that.
    [[nodiscard]] std::optional<MailRange> next();

    // The file's size when it was opened, where the last message ends.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
    struct Line {
        std::uint64_t begin = 0;
        bool empty = false;  // only a line end
    };
    MboxReader(int file, std::size_t buffer, std::uint64_t size);
    [[nodiscard]] std::optional<Line> next_line();
    [[nodiscard]] std::string_view unread();

    int file_;
    std::uint64_t size_;
    std::vector<char> buffer_;
    std::size_t filled_ = 0;         // bytes in the buffer
    std::size_t at_ = 0;             // how many of them were consumed
    std::uint64_t position_ = 0;     // of the next byte, in the file
    std::string head_;               // of the line that was read last
    bool after_empty_line_ = false;  // whether the next line follows an empty one
    bool finished_ = false;
    std::uint64_t message_ = 0;  // where the next message to return begins
};

}  // namespace clamscanner
