// Lists a ZIP archive from its central directory (APPNOTE.TXT), because libclamav opens fewer archives than programs of
// users do, and says nothing of those that it cannot open. libarchive does not say where members lie, and so not what
// lies between them. Reads hostile bytes; decompresses nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

struct ZipMember {
    std::uint64_t size = 0;  // uncompressed
    bool openable = false;   // libclamav has its compression method, and finds its sizes where it looks for them
    bool encrypted = false;
};

struct ZipDirectory {
    std::vector<ZipMember> members;
    std::optional<UnscannedReason> problem;  // why there may be more than these members
};

// Where the directory's end record is looked for.
enum class ZipEnd { AtTheEnd, Anywhere };

// Nothing if there is no central directory.
[[nodiscard]] std::optional<ZipDirectory> read_zip_directory(std::string_view archive, ZipEnd where);

[[nodiscard]] bool begins_as_zip(std::string_view bytes) noexcept;

}  // namespace clamscanner
