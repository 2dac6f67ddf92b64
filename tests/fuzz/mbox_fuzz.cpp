// Fuzzes the mbox parser with a whole mailbox. Its mails must cover it exactly, must not depend on the buffer's size,
// and when the first is removed the others must stay the same.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"
#include "jobs/runner/mbox.h"

namespace clamscanner {
namespace {

void expect(bool held) {
    if (!held) std::abort();
}

std::vector<MailRange> mail_in(int file, std::size_t buffer) {
    std::vector<MailRange> messages;
    if (auto reader = MboxReader::open(file, buffer))
        while (const auto message = reader->next()) messages.push_back(*message);
    return messages;
}

// The file's content becomes these bytes.
void fill(const UniqueFd& file, const std::uint8_t* bytes, std::size_t size) {
    checked(::ftruncate(file.get(), 0), "empty the mailbox");
    expect(::pwrite(file.get(), bytes, size, 0) == static_cast<ssize_t>(size));
}

void try_mailbox(const std::uint8_t* bytes, std::size_t size) {
    static const UniqueFd file(checked(::memfd_create("mailbox", MFD_CLOEXEC), "make a mailbox"));
    fill(file, bytes, size);
    auto messages = mail_in(file.get(), MboxReader::usual_buffer);
    expect(mail_in(file.get(), 13) == messages);
    if (messages.empty()) return;

    std::uint64_t at = 0;
    for (const auto& message : messages) {
        expect(message.begin == at && message.end > at);
        at = message.end;
    }
    expect(at == size);

    const std::uint64_t first = messages.front().end;
    messages.erase(messages.begin());
    for (auto& message : messages) message = {message.begin - first, message.end - first};
    fill(file, bytes + first, size - first);
    expect(mail_in(file.get(), 64) == messages);
}

}  // namespace
}  // namespace clamscanner

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    clamscanner::try_mailbox(bytes, size);
    return 0;
}
