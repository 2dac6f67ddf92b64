#include "jobs/runner/mail_store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <system_error>
#include <vector>

#include "auth/base/checked.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/mail_characters.h"
#include "jobs/runner/maildir.h"
#include "jobs/runner/mbox.h"
#include "jobs/shared/beneath.h"

namespace clamscanner {
namespace {

constexpr std::size_t head_bytes = 4096;
constexpr std::size_t read_at_once = 64 * 1024;

char lower(char c) noexcept {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

bool equals(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_one_of(std::string_view word, const auto& words) noexcept {
    return std::any_of(words.begin(), words.end(), [&](std::string_view known) { return equals(word, known); });
}

bool starts_with_one_of(std::string_view text, const auto& starts) noexcept {
    return std::any_of(starts.begin(), starts.end(),
                       [&](std::string_view start) { return equals(text.substr(0, start.size()), start); });
}

bool is_number_after(std::string_view name, std::string_view start) noexcept {
    return name.size() > start.size() && name.starts_with(start) &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(start.size()), name.end(), is_digit);
}

bool has_component(std::string_view path, const auto& names) noexcept {
    while (!path.empty()) {
        const auto slash = path.find('/');
        if (is_one_of(path.substr(0, slash), names)) return true;
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    }
    return false;
}

// dovecot's sdbox and mdbox files begin with "2 M1e C5f3a1b2c": a version, the size of a message's header, a time.
bool begins_as_dbox(std::string_view head) noexcept {
    const auto hex = [&](char letter) {
        if (!head.starts_with(' ') || head.substr(1, 1) != std::string_view(&letter, 1)) return false;
        head.remove_prefix(2);
        const auto end = std::find_if_not(head.begin(), head.end(),
                                          [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
        const auto digits = static_cast<std::size_t>(end - head.begin());
        head.remove_prefix(digits);
        return digits > 0;
    };
    if (head.empty() || !is_digit(head.front())) return false;
    head.remove_prefix(1);
    return hex('M') && hex('C');
}

bool is_compressed(std::string_view head) noexcept {
    using namespace std::string_view_literals;
    static constexpr std::array starts = {
        "\x1f\x8b"sv,          // gzip
        "\x1f\x9d"sv,          // compress
        "\x1f\xa0"sv,          // its successor
        "BZh"sv,               // bzip2
        "\xfd\x37zXZ"sv,       // xz
        "\x28\xb5\x2f\xfd"sv,  // zstd
        "\x04\x22M\x18"sv,     // lz4
        "\x5d\0\0"sv,          // lzma
        "LZIP"sv,              // lzip
        "PK"sv,                // zip
        "7z\xbc\xaf"sv,        // 7z
        "Rar!"sv,              // rar
    };
    return std::any_of(starts.begin(), starts.end(), [&](std::string_view start) { return head.starts_with(start); });
}

// Whether the name contains a common name of a mail folder.
bool is_named_like_a_mail_folder(std::string_view name) noexcept {
    std::string small(name);
    std::transform(small.begin(), small.end(), small.begin(), lower);
    static constexpr std::array words = {"mbox", "mail", "inbox", "sent", "drafts", "outbox", "archive.mb"};
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return small.find(word) != std::string::npos; });
}

// RFC 5322, 2.2: a field name is printable ASCII without colon and blank, then a colon.
bool is_header_field(std::string_view line) noexcept {
    const auto name = line.substr(0, line.find(':'));
    return !name.empty() && name.size() < line.size() &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Looks after the first line that is not empty. ">From ", with which some programs continue a postmark, counts as a
// field.
bool has_headers_behind_postmark(std::string_view head) noexcept {
    while (head.starts_with('\n') || head.starts_with("\r\n")) head.remove_prefix(head.front() == '\n' ? 1 : 2);
    const auto end = head.find('\n');
    if (end == std::string_view::npos) return false;
    head.remove_prefix(end + 1);
    return head.starts_with(">From ") || is_header_field(head.substr(0, head.find('\n')));
}

std::string head_of(int file) {
    std::string head(head_bytes, '\0');
    const auto got = uninterrupted([&] { return ::pread(file, head.data(), head.size(), 0); });
    if (got < 0) stop("read the file");
    head.resize(static_cast<std::size_t>(got));
    return head;
}

bool begins_with_postmark(int file) {
    try {
        return MboxReader::open(file).has_value();
    } catch (const std::system_error& fault) {
        stop("read the file", fault.code().value());
    }
}

// In such a directory each file is one message, even if the Maildir around it is incomplete.
bool is_in_message_directory(std::string_view path) noexcept {
    const auto directory = split_path(split_path(path).first).second;
    return directory == "cur" || directory == "new" || directory == "tmp";
}

}  // namespace

// ---- MailCounter
// -------------------------------------------------------------------------------------------------------

void MailCounter::read(std::string_view bytes) {
    for (const char c : bytes) {
        const bool ends = static_cast<unsigned char>(c) < ' ' && c != '\t';
        if (ends && !(c == '\n' && after_return_)) end_line();
        after_return_ = c == '\r';
        if (!ends && line_.size() < longest_postmark) line_ += c;
    }
}

void MailCounter::end() {
    end_line();
    end_line();
}

void MailCounter::end_line() {
    static constexpr std::array mail_fields = {"From",       "To",           "Subject", "Date",          "Received",
                                               "Message-ID", "Delivered-To", "Cc",      "X-Original-To", "Return-Path"};
    const bool is_empty = line_.empty();
    const bool goes_on = fields_ > 0 && !line_.empty() && is_blank(line_.front());
    const bool is_field = !goes_on && is_header_field(line_);
    if (is_postmark(line_)) ++postmarks_;
    if (is_field) {
        ++fields_;
        is_mail_ = is_mail_ || is_one_of(std::string_view(line_).substr(0, line_.find(':')), mail_fields);
    } else if (!goes_on) {
        if (is_mail_ && (fields_ > 1 || is_empty)) ++blocks_;
        fields_ = 0;
        is_mail_ = false;
    }
    line_.clear();
}

// ---- Stores --------------------------------------------------------------------------------------------------------

bool begins_as_mail_store(std::string_view head) noexcept {
    using namespace std::string_view_literals;
    static constexpr std::array starts = {
        "\x01\x01\x01\x01"sv,               // MMDF
        "*mbx*"sv,                          // UW c-client
        ":msg:"sv,                          // its mix format
        "BABYL OPTIONS"sv,                  // Emacs
        "#! rnews"sv,                       // a batch of news
        "CRYPTED\x03\x07"sv,                // dovecot's mail_crypt
        "!BDN"sv,                           // Outlook
        "\xcf\xad\x12\xfe"sv,               // Outlook Express
        "\x1a\0\0\x04\0\0"sv,               // Notes
        "\x10\x10\x10\x10\x10\x10\x10S"sv,  // Foxmail
    };
    if (std::any_of(starts.begin(), starts.end(), [&](std::string_view start) { return head.starts_with(start); }))
        return true;
    return begins_as_dbox(head);
}

bool is_named_as_mail_store(std::string_view path) noexcept {
    static constexpr std::array directories = {"dbox-Mails", "mdbox", "sdbox", "dbox"};
    static constexpr std::array names = {"mbox", "mailbox", "inbox", ".mbox", "RMAIL"};
    static constexpr std::array starts = {"dovecot.", "dovecot-", "cyrus.", ".mix"};
    static constexpr std::array ends = {".mbox", ".mbx", ".mbs", ".mmdf", ".pst", ".ost", ".dbx", ".nsf", ".olm"};
    const auto directory = split_path(path).first;
    const auto name = split_path(path).second;
    if (has_component(directory, directories) || is_one_of(name, names) || starts_with_one_of(name, starts))
        return true;
    // dovecot: storage/m.12 of an mdbox; u.12 lies in dbox-Mails.
    if (split_path(directory).second == "storage" && is_number_after(name, "m.")) return true;
    return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) {
        return name.size() > end.size() && equals(name.substr(name.size() - end.size()), end);
    });
}

unsigned count_mail(int file, unsigned wanted) {
    MailCounter counter;
    std::vector<char> bytes(read_at_once);
    for (off_t at = 0; counter.count() < wanted;) {
        const auto got = uninterrupted([&] { return ::pread(file, bytes.data(), bytes.size(), at); });
        if (got < 0) stop("read the file");
        if (got == 0) {
            counter.end();
            break;
        }
        counter.read({bytes.data(), static_cast<std::size_t>(got)});
        at += got;
    }
    return counter.count();
}

bool is_maildir_mail(int home, std::string_view path) {
    return !maildir_directories(home, path).empty();
}

bool is_mailbox(int home, std::string_view path, int file) {
    return !is_maildir_mail(home, path) && begins_with_postmark(file) && has_headers_behind_postmark(head_of(file));
}

bool may_hold_mail(int home, std::string_view path, int file, bool in_mail) {
    if (is_maildir_mail(home, path)) return false;
    const std::string head = head_of(file);
    if (is_named_as_mail_store(path) || begins_as_mail_store(head)) return true;
    const bool among_mail = in_mail && !is_in_message_directory(path);
    if (is_compressed(head) && (among_mail || is_named_like_a_mail_folder(split_path(path).second))) return true;
    return begins_with_postmark(file) || count_mail(file, 2) >= (among_mail ? 1 : 2);
}

}  // namespace clamscanner
