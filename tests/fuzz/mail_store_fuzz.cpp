// Foreign bytes: a file that may store mail, and a path. The count must not depend on the pieces in which the bytes
// arrive.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "jobs/runner/mail_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    static_cast<void>(clamscanner::begins_as_mail_store(text));
    static_cast<void>(clamscanner::is_named_as_mail_store(text.substr(0, 4096)));
    clamscanner::MailCounter whole;
    whole.read(text);
    whole.end();
    clamscanner::MailCounter pieces;
    for (std::size_t at = 0; at < size; at += 7) pieces.read(text.substr(at, 7));
    pieces.end();
    if (whole.count() != pieces.count()) std::abort();
    return 0;
}
