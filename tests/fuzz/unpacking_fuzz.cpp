// Foreign bytes: what libclamav tells of a scan, call by call, and the content of every layer. An input is a row of
// calls: a byte for what is called, one for the level, the type of a layer and what libclamav says of it, two for a
// size, then as many bytes of content.
#include <array>
#include <cstdint>
#include <string_view>

#include "jobs/engine/worker/unpacking.h"

namespace {

constexpr std::array<std::string_view, 16> types = {
    "CL_TYPE_BINARY_DATA", "CL_TYPE_ZIP", "CL_TYPE_7Z",  "CL_TYPE_GZ",        "CL_TYPE_BZ",  "CL_TYPE_XZ",
    "CL_TYPE_MSOLE2",      "CL_TYPE_RAR", "CL_TYPE_ARJ", "CL_TYPE_MSCAB",     "CL_TYPE_EGG", "CL_TYPE_POSIX_TAR",
    "CL_TYPE_OLD_TAR",     "CL_TYPE_ALZ", "CL_TYPE_PDF", "CL_TYPE_TEXT_ASCII"};

}  // namespace

// libarchive allocates what the header of a 7z archive asks for. Beyond the worker's memory limit it gets nothing, here
// as there.
extern "C" const char* __asan_default_options() {
    return "allocator_may_return_null=1:max_allocation_size_mb=1024";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    constexpr std::size_t header = 4;
    std::string_view input(reinterpret_cast<const char*>(bytes), size);
    clamscanner::Unpacking unpacking(64 * 1024, 256 * 1024);
    while (input.size() >= header) {
        const auto call = static_cast<unsigned char>(input[0]);
        const auto what = static_cast<unsigned char>(input[1]);
        const auto length =
            static_cast<std::size_t>(static_cast<unsigned char>(input[2]) | static_cast<unsigned char>(input[3]) << 8);
        input.remove_prefix(header);
        const auto content = input.substr(0, length);
        const auto type = types[what % types.size()];
        if ((call & 1) != 0) {
            unpacking.announce(type, length, (call & 2) != 0);
            continue;
        }
        unpacking.begin_layer(what / types.size(), type, content, {(call & 2) != 0, (call & 4) != 0});
        input.remove_prefix(content.size());
    }
    static_cast<void>(unpacking.reason());
    return 0;
}
