// The types of scans. A new type needs an enumerator and a row of the table; if either is missing or incomplete, this
// does not compile. It must also be added to what administrators and clients read: the sample configuration
// (auth/base/clamscanner.toml), README.md and handlers/shared/openapi.yaml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace clamscanner {

// These values are part of the wire format and the database: never change them, only append.
enum class ScanType : std::uint8_t { Home, Mail, PublicHtml, PublicFtp, Count };

struct ScanTypeRow {
    ScanType type;
    std::string_view name;       // in the interface
    const char* setting;         // in the configuration
    std::string_view directory;  // below the home, unless the configuration has another
    std::string_view description;
};

inline constexpr ScanTypeRow scan_types[] = {
    {ScanType::Home, "home", "scan.home", "", "Scan the entire home directory"},
    {ScanType::Mail, "mail", "scan.mail", "mail", "Scan mail"},
    {ScanType::PublicHtml, "public_html", "scan.public_html", "public_html", "Scan the public web space"},
    {ScanType::PublicFtp, "public_ftp", "scan.public_ftp", "public_ftp", "Scan the public FTP space"},
};

inline constexpr auto scan_type_count = static_cast<std::size_t>(ScanType::Count);
inline constexpr auto last_scan_type = static_cast<ScanType>(scan_type_count - 1);

[[nodiscard]] constexpr const ScanTypeRow& row_of(ScanType type) noexcept {
    return scan_types[static_cast<std::size_t>(type)];
}

namespace scan_types_check {

// An empty directory means the home itself, for one type only.
consteval bool is_whole(const ScanTypeRow& row) {
    return !row.name.empty() && row.setting != nullptr && std::string_view(row.setting).starts_with("scan.") &&
           std::string_view(row.setting).substr(5) == row.name && !row.description.empty() &&
           row.directory.empty() == (row.type == ScanType::Home);
}

consteval bool each_is_whole_and_in_its_place() {
    for (std::size_t i = 0; i < std::size(scan_types); ++i)
        if (static_cast<std::size_t>(scan_types[i].type) != i || !is_whole(scan_types[i])) return false;
    return true;
}

static_assert(std::size(scan_types) == scan_type_count, "each scan type has a row, and each row a scan type");
static_assert(each_is_whole_and_in_its_place(), "a row lacks something, or stands in another's place");

}  // namespace scan_types_check
}  // namespace clamscanner
