// Foreign bytes: a file that may be a compound file.
#include <cstdint>
#include <string_view>

#include "jobs/engine/worker/encrypted_document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static_cast<void>(clamscanner::is_encrypted_document({reinterpret_cast<const char*>(bytes), size}));
    return 0;
}
