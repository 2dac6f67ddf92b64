#include "jobs/engine/worker/unpacked_size.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

namespace clamscanner {
namespace {

struct FreeArchive {
    void operator()(archive* reader) const noexcept { ::archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, FreeArchive>;

// libarchive has a code for what it does not support only now and then; its words always say so.
Unpacked failure_of(archive* reader) {
    const char* const words = ::archive_error_string(reader);
    const std::string_view said = words != nullptr ? words : "";
    if (said.find("ncrypted") != std::string_view::npos) return Unpacked::Encrypted;
    const bool unsupported = said.find("nsupported") != std::string_view::npos ||
                             said.find("not supported") != std::string_view::npos ||
                             said.find("codec") != std::string_view::npos;
    return unsupported ? Unpacked::Unsupported : Unpacked::Damaged;
}

// Of one member.
Unpacked count_data(archive* reader, std::uint64_t most, std::uint64_t& bytes) {
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int result = ::archive_read_data_block(reader, &block, &size, &offset);
        if (result == ARCHIVE_EOF) return Unpacked::Whole;
        if (result != ARCHIVE_OK) return failure_of(reader);
        bytes += size;
        if (bytes > most) return Unpacked::TooMuch;
    }
}

UnpackedSize count_members(archive* reader, std::string_view packed, std::uint64_t most) {
    UnpackedSize size;
    if (::archive_read_open_memory(reader, packed.data(), packed.size()) != ARCHIVE_OK) {
        size.outcome = failure_of(reader);
        return size;
    }
    for (;;) {
        archive_entry* entry = nullptr;
        const int result = ::archive_read_next_header(reader, &entry);
        // A warning is about a name or an attribute.
        if (result == ARCHIVE_EOF)
            size.outcome = Unpacked::Whole;
        else if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            size.outcome = failure_of(reader);
        else if (::archive_entry_is_encrypted(entry) != 0)
            size.outcome = Unpacked::Encrypted;
        else if (size.outcome = count_data(reader, most, size.bytes); size.outcome == Unpacked::Whole)
            continue;
        return size;
    }
}

}  // namespace

UnpackedSize unpacked_size_of_streams(std::string_view packed, std::uint64_t most) {
    const Reader reader(::archive_read_new());
    if (!reader) return {};
    // One by one: "all" would include those for which libarchive starts another program.
    ::archive_read_support_filter_gzip(reader.get());
    ::archive_read_support_filter_bzip2(reader.get());
    ::archive_read_support_filter_xz(reader.get());
    ::archive_read_support_filter_lzma(reader.get());
    ::archive_read_support_format_raw(reader.get());
    ::archive_read_support_format_empty(reader.get());
    auto size = count_members(reader.get(), packed, most);
    // What no filter recognises is passed through as it is.
    if (::archive_filter_count(reader.get()) < 2) size.outcome = Unpacked::Damaged;
    return size;
}

UnpackedSize unpacked_size_of_7z(std::string_view packed, std::uint64_t most) {
    const Reader reader(::archive_read_new());
    if (!reader) return {};
    ::archive_read_support_format_7zip(reader.get());
    return count_members(reader.get(), packed, most);
}

}  // namespace clamscanner
