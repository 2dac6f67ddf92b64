// Foreign bytes: the start of any infected file.
#include <cstdint>

#include "jobs/mailbox.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static_cast<void>(clamscanner::looks_like_mailbox({reinterpret_cast<const char*>(bytes), size}));
    return 0;
}
