#include "jobs/runner/mail_return.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/base/checked.h"
#include "auth/base/sha256.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/mailbox_bytes.h"
#include "jobs/shared/content_hash.h"

namespace clamscanner {
namespace {

// As the last one of the mailbox, a message may have lost its final empty line, or got one from us.
std::string_view without_last_lines(std::string_view message) noexcept {
    while (message.ends_with('\n') || message.ends_with('\r')) message.remove_suffix(1);
    return message;
}

std::string_view without_first_lines(std::string_view message) noexcept {
    while (message.starts_with('\n') || message.starts_with("\r\n"))
        message.remove_prefix(message.front() == '\n' ? 1 : 2);
    return message;
}

// Readers want an empty line before a postmark.
std::string_view line_ends_missing(std::string_view mailbox) noexcept {
    if (mailbox.empty() || mailbox.ends_with("\n\n") || mailbox.ends_with("\n\r\n")) return "";
    if (mailbox.ends_with("\r\n")) return "\r\n";
    return mailbox.ends_with('\n') ? "\n" : "\n\n";
}

// Whether a crash cut our own delivery short: the last message is only a beginning of this one.
bool is_torn(std::string_view last, std::string_view message) noexcept {
    return !last.empty() && last.size() < message.size() && message.starts_with(last);
}

}  // namespace

void append_mail(const UniqueFd& directory, const std::string& name, int message_file, mode_t mode,
                 const std::function<void()>& still_waiting) {
    constexpr int making = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    if (const UniqueFd made(::openat(directory.get(), name.c_str(), making, mode & 0777)); !made && errno != EEXIST)
        stop("make the mailbox again");
    const MailboxLock lock = lock_mailbox(directory.get(), name, still_waiting);
    const std::string message_bytes = read_all(message_file);
    const auto message = without_first_lines(message_bytes);
    const std::string is = read_all(lock.file());
    const auto messages = mail_in(lock.file());
    if (messages.empty() && !without_first_lines(is).empty())
        throw Stopped(
            "the file that now has the mailbox's name is no mailbox; nothing was changed, and it is still in "
            "quarantine");
    if (!messages.empty() && messages.back().end > is.size())
        throw Stopped("another program wrote into the mailbox meanwhile; nothing was changed");
    for (const auto& range : messages)
        if (without_first_lines(without_last_lines(bytes_of(is, range))) == without_last_lines(message)) return;
    std::string wanted = is;
    if (!messages.empty() && is_torn(without_first_lines(bytes_of(is, messages.back())), message))
        wanted.resize(messages.back().begin);
    wanted += line_ends_missing(wanted);
    wanted += message;
    wanted += line_ends_missing(wanted);
    struct stat status {};
    if (::fstat(lock.file(), &status) < 0 || static_cast<std::size_t>(status.st_size) != is.size())
        throw Stopped("another program wrote into the mailbox meanwhile; nothing was changed");
    if (!lock.still_named()) throw Stopped("another program replaced the mailbox meanwhile; nothing was changed");
    try {
        rewrite(lock.file(), is, wanted);
    } catch (const Stopped&) {
        // If this fails, too, an incomplete message stays at the end, which the next attempt replaces.
        if (::ftruncate(lock.file(), static_cast<off_t>(is.size())) == 0) ::fsync(lock.file());
        throw;
    }
    sync_directory(directory);
}

bool has_mail(int mailbox, const std::string& sha256) {
    const std::string bytes = read_all(mailbox);
    for (const auto& range : mail_in(mailbox)) {
        if (range.end > bytes.size()) return false;
        const auto message = bytes_of(bytes, range);
        if (sha256_hex(message) == sha256) return true;
        for (const char* ending : {"", "\n", "\n\n"})
            if (sha256_hex(std::string(without_first_lines(without_last_lines(message))) + ending) == sha256)
                return true;
    }
    return false;
}

}  // namespace clamscanner
