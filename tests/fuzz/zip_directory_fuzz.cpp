// Foreign bytes: a file that may be a ZIP archive, or end in one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "jobs/engine/worker/zip_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace clamscanner;
    const std::string_view file(reinterpret_cast<const char*>(bytes), size);
    static_cast<void>(begins_as_zip(file));
    for (const auto where : {ZipEnd::AtTheEnd, ZipEnd::Anywhere}) {
        const auto directory = read_zip_directory(file, where);
        // Each member takes 46 bytes of the directory.
        if (directory && directory->members.size() > size / 46) std::abort();
    }
    return 0;
}
