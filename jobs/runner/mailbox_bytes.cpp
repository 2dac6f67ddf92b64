#include "jobs/runner/mailbox_bytes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "auth/base/checked.h"
#include "jobs/runner/careful_moves.h"

namespace clamscanner {
namespace {

constexpr auto report_interval = std::chrono::seconds(3);

}  // namespace

MailboxLock lock_mailbox(int directory, const std::string& name, const std::function<void()>& still_waiting,
                         std::chrono::seconds patience) {
    using Clock = std::chrono::steady_clock;
    for (const auto deadline = Clock::now() + patience;;) {
        auto result = MailboxLock::take(directory, name, std::min(deadline, Clock::now() + report_interval));
        if (result.verdict == MailboxLockVerdict::Locked) return std::move(*result.lock);
        if (result.verdict == MailboxLockVerdict::Impossible) stop(result.attempted, result.error);
        if (Clock::now() >= deadline)
            throw Stopped("another program has had the mailbox locked for " + std::to_string(patience.count()) +
                          " seconds; it was left alone");
        still_waiting();
    }
}

std::string read_all(int file) {
    struct stat status {};
    if (::fstat(file, &status) < 0) stop("examine the mailbox");
    if (static_cast<std::uint64_t>(status.st_size) > largest_mailbox) stop("read so large a mailbox", EFBIG);
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    for (std::size_t done = 0; done < bytes.size();) {
        const auto got = uninterrupted(
            [&] { return ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done)); });
        if (got < 0) stop("read the mailbox");
        if (got == 0) stop("read the mailbox, which has become shorter", ENODATA);
        done += static_cast<std::size_t>(got);
    }
    return bytes;
}

std::vector<MailRange> mail_in(int file) {
    std::vector<MailRange> messages;
    try {
        auto reader = MboxReader::open(file);
        if (!reader) return messages;
        while (const auto message = reader->next()) messages.push_back(*message);
    } catch (const std::system_error& fault) {
        stop("read the mailbox", fault.code().value());
    }
    return messages;
}

void rewrite(int file, std::string_view is, std::string_view wanted) {
    const auto same = std::mismatch(is.begin(), is.end(), wanted.begin(), wanted.end()).first - is.begin();
    for (auto done = static_cast<std::size_t>(same); done < wanted.size();) {
        const auto put = uninterrupted(
            [&] { return ::pwrite(file, wanted.data() + done, wanted.size() - done, static_cast<off_t>(done)); });
        if (put <= 0) stop("write the mailbox");
        done += static_cast<std::size_t>(put);
    }
    if (::fsync(file) < 0) stop("make the change durable");
    if (wanted.size() < is.size() && ::ftruncate(file, static_cast<off_t>(wanted.size())) < 0)
        stop("cut the mailbox to its length");
    if (::fsync(file) < 0) stop("make the change durable");
}

}  // namespace clamscanner
