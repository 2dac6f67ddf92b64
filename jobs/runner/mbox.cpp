#include "jobs/runner/mbox.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "auth/base/checked.h"
#include "jobs/runner/mail_characters.h"

namespace clamscanner {
namespace {

// ---- postmarks -----------------------------------------------------------------------------------------------------
// What programs write after "From " and the sender, which may be a word, a quoted text and a word, several words
// (Mailman's "alice at example.org"), or missing:
//     Thu Nov 29 22:33:52 2001          asctime(); the day may have one digit or two, with a blank or a zero before it
//     Thu Nov 29 22:33 2001             and the seconds may be missing
//     Thu Nov 29 22:33:52 +0100 2001    a zone before the year, "CET" and "MET DST", too
//     Thu Nov 29 22:33:52 2001 +0100    or after it
//     Thu, 29 Nov 2001 22:33:52 +0100   the date of a mail's header
// and optionally "remote from HOST" (UUCP). Numbers need not form a valid date: the readers don't check that either.

constexpr std::array<std::string_view, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 13> months{
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
    "Aug", "Sep", "Oct", "Nov", "Dec", "???"};  // found in old mailboxes, and accepted by dovecot

bool is_capital(char c) noexcept {
    return c >= 'A' && c <= 'Z';
}

// Consumes parts from the front of a text; text that does not match is not consumed.
struct Text {
    std::string_view rest;

    bool blanks() noexcept {
        const auto count =
            static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_blank) - rest.begin());
        rest.remove_prefix(count);
        return count > 0;
    }
    std::string_view word() noexcept {
        const auto taken =
            rest.substr(0, static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), is_blank) - rest.begin()));
        rest.remove_prefix(taken.size());
        return taken;
    }
    bool sign(char wanted) noexcept {
        if (!rest.starts_with(wanted)) return false;
        rest.remove_prefix(1);
        return true;
    }
    bool digits(std::size_t least, std::size_t most) noexcept {
        std::size_t count = 0;
        while (count < most && count < rest.size() && is_digit(rest[count])) ++count;
        if (count < least) return false;
        rest.remove_prefix(count);
        return true;
    }
    bool one_of(const auto& names) noexcept {
        const auto equal = [](char a, char b) {
            return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
        };
        for (const std::string_view name : names) {
            const auto start = rest.substr(0, name.size());
            if (!std::equal(start.begin(), start.end(), name.begin(), name.end(), equal)) continue;
            rest.remove_prefix(name.size());
            return true;
        }
        return false;
    }
    // "12:34" or "12:34:56". Invalid seconds are not consumed.
    bool time() noexcept {
        if (!digits(1, 2) || !sign(':') || !digits(2, 2)) return false;
        Text seconds = *this;
        if (seconds.sign(':') && seconds.digits(2, 2)) *this = seconds;
        return true;
    }
    // "2001", or "01" as some old programs wrote it.
    bool year() noexcept {
        if (digits(4, 4)) return true;
        Text two = *this;
        if (!two.digits(2, 2) || !(two.rest.empty() || is_blank(two.rest.front()))) return false;
        *this = two;
        return true;
    }
};

enum class Weekday {
    Any,     // any three bytes, for other languages
    English  // "Thu"
};

// "Thu Nov 29 22:33:52 2001", up to the year.
bool take_asctime(Text& text) noexcept {
    Text from = text;
    if (!from.blanks() || !from.one_of(months) || !from.blanks() || !from.digits(1, 2) || !from.blanks() ||
        !from.time() || !from.blanks())
        return false;
    for (int zones = 0; zones <= 2; ++zones) {
        if (from.year()) {
            text = from;
            return true;
        }
        if (from.word().empty() || !from.blanks()) return false;
    }
    return false;
}

// ", 29 Nov 2001 22:33:52".
bool take_header_date(Text& text) noexcept {
    Text from = text;
    if (!from.sign(',') || !from.blanks() || !from.digits(1, 2) || !from.blanks() || !from.one_of(months) ||
        !from.blanks() || !from.digits(4, 4) || !from.blanks() || !from.time())
        return false;
    text = from;
    return true;
}

bool take_date(Text& text, Weekday weekday) noexcept {
    Text from = text;
    if (weekday == Weekday::English) {
        if (!from.one_of(weekdays)) return false;
    } else {
        if (from.rest.size() < 3 || std::any_of(from.rest.begin(), from.rest.begin() + 3, is_blank)) return false;
        from.rest.remove_prefix(3);
    }
    if (!take_asctime(from) && !take_header_date(from)) return false;
    text = from;
    return true;
}

bool is_zone(std::string_view word) noexcept {
    if (word.starts_with('(') && word.ends_with(')')) word = word.substr(1, word.size() - 2);
    if (word.starts_with('+') || word.starts_with('-'))
        return word.size() == 5 && std::all_of(word.begin() + 1, word.end(), is_digit);
    return !word.empty() && word.size() <= 5 && std::all_of(word.begin(), word.end(), is_capital);
}

// Whether only zones and "remote from" follow the date.
bool ends_as_postmark(Text text) noexcept {
    for (int words = 0; words <= 3; ++words) {
        const bool apart = text.blanks();
        if (text.rest.empty()) return true;
        if (!apart) return false;
        if (text.rest.starts_with("remote from ")) return true;
        if (!is_zone(text.word())) return false;
    }
    return false;
}

void skip_sender(Text& text) noexcept {
    if (text.sign('"')) {
        bool escaped = false;
        while (!text.rest.empty() && (escaped || text.rest.front() != '"')) {
            escaped = !escaped && text.rest.front() == '\\';
            text.rest.remove_prefix(1);
        }
    }
    static_cast<void>(text.word());
}

// ---- reading -------------------------------------------------------------------------------------------------------

std::uint64_t size_of(int file) {
    struct stat status {};
    checked(::fstat(file, &status), "examine a mailbox");
    return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

bool is_postmark(std::string_view line) noexcept {
    if (!line.starts_with("From ")) return false;
    line = line.substr(0, std::min(line.find('\n'), longest_postmark));
    if (line.ends_with('\r')) line.remove_suffix(1);

    // Readers look for the date after a sender without blanks. Whatever follows that date is ignored.
    Text behind_sender{line.substr(5)};
    skip_sender(behind_sender);
    if (behind_sender.blanks() && take_date(behind_sender, Weekday::Any)) return true;

    // Anywhere else a sentence could mention a date, so nothing else may follow it.
    for (Text text{line.substr(4)}; text.blanks() && !text.rest.empty(); static_cast<void>(text.word())) {
        Text date = text;
        if (take_date(date, Weekday::English) && ends_as_postmark(date)) return true;
    }
    return false;
}

MboxReader::MboxReader(int file, std::size_t buffer, std::uint64_t size)
    : file_(file), size_(size), buffer_(std::max<std::size_t>(buffer, 1)) {}

std::optional<MboxReader> MboxReader::open(int file, std::size_t buffer) {
    MboxReader reader(file, buffer, size_of(file));
    for (;;) {
        const auto line = reader.next_line();
        if (!line) return std::nullopt;
        if (line->empty) continue;
        if (!is_postmark(reader.head_)) return std::nullopt;
        return reader;
    }
}

std::optional<MailRange> MboxReader::next() {
    if (finished_) return std::nullopt;
    finished_ = true;  // reset below if another message follows; stays set after an exception
    const std::uint64_t begin = message_;
    while (const auto line = next_line()) {
        const bool found = after_empty_line_ && is_postmark(head_);
        after_empty_line_ = line->empty;
        if (!found) continue;
        finished_ = false;
        message_ = line->begin;
        return MailRange{begin, line->begin};
    }
    return MailRange{begin, size_};
}

// The unread bytes in the buffer; empty only at the end of the file.
std::string_view MboxReader::unread() {
    if (at_ == filled_ && position_ < size_) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), size_ - position_));
        const auto got = checked(
            uninterrupted([&] { return ::pread(file_, buffer_.data(), wanted, static_cast<off_t>(position_)); }),
            "read a mailbox");
        if (got == 0) throw_errno("read a mailbox, which has become shorter", ENODATA);
        filled_ = static_cast<std::size_t>(got);
        at_ = 0;
    }
    return {buffer_.data() + at_, filled_ - at_};
}

std::optional<MboxReader::Line> MboxReader::next_line() {
    Line line;
    line.begin = position_;
    head_.clear();
    for (auto bytes = unread(); !bytes.empty(); bytes = unread()) {
        const auto end = bytes.find('\n');
        const auto taken = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
        head_.append(taken.substr(0, longest_postmark - head_.size()));
        at_ += taken.size();
        position_ += taken.size();
        if (end == std::string_view::npos) continue;
        line.empty = head_ == "\n" || head_ == "\r\n";
        return line;
    }
    if (position_ == line.begin) return std::nullopt;
    return line;  // the last line, without a line end
}

}  // namespace clamscanner
