#include "jobs/engine/worker/zip_directory.h"

#include <algorithm>

namespace clamscanner {
namespace {

using namespace std::string_view_literals;

constexpr auto local_signature = "PK\x03\x04"sv;
constexpr auto entry_signature = "PK\x01\x02"sv;
constexpr auto end_signature = "PK\x05\x06"sv;
constexpr auto end64_signature = "PK\x06\x06"sv;
constexpr auto locator_signature = "PK\x06\x07"sv;
constexpr std::size_t local_bytes = 30;
constexpr std::size_t entry_bytes = 46;
constexpr std::size_t end_bytes = 22;
constexpr std::size_t end64_bytes = 56;
constexpr std::size_t locator_bytes = 20;
constexpr std::size_t longest_comment = 0xffff;
constexpr std::uint64_t in_extra_field = 0xffffffff;  // the number is in the extra field for ZIP64
constexpr std::uint64_t is_encrypted = 1;             // a flag

// Little endian; the caller has checked that it is there.
std::uint64_t number_at(std::string_view bytes, std::size_t at, int size) noexcept {
    std::uint64_t number = 0;
    for (int i = size - 1; i >= 0; --i)
        number = number << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    return number;
}

bool has(std::string_view bytes, std::uint64_t at, std::size_t size) noexcept {
    return at <= bytes.size() && bytes.size() - at >= size;
}

bool has_signature(std::string_view bytes, std::uint64_t at, std::string_view signature, std::size_t size) noexcept {
    return has(bytes, at, size) && bytes.substr(at, signature.size()) == signature;
}

// Stored, Shrunk, Imploded, Deflated, Deflate64, BZIP2: unz() in libclamav's unzip.c.
bool is_openable(std::uint64_t method) noexcept {
    return method == 0 || method == 1 || method == 6 || method == 8 || method == 9 || method == 12;
}

struct Directory {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t prefix = 0;  // bytes before the archive that its offsets do not count
    bool is_zip64 = false;     // libclamav does not read its end record
};

// Its comment reaches to the end of the file, if nothing follows the archive.
std::optional<std::size_t> end_record_of(std::string_view archive, ZipEnd where) noexcept {
    if (archive.size() < end_bytes) return std::nullopt;
    const auto searched = archive.substr(archive.size() - std::min(archive.size(), end_bytes + longest_comment));
    for (auto at = searched.rfind(end_signature); at != std::string_view::npos;
         at = searched.rfind(end_signature, at - 1)) {
        const bool whole = searched.size() - at >= end_bytes;
        if (whole && (where == ZipEnd::Anywhere || at + end_bytes + number_at(searched, at + 20, 2) == searched.size()))
            return archive.size() - searched.size() + at;
        if (at == 0) break;
    }
    return std::nullopt;
}

// A record for ZIP64 lies before the locator, which lies before the end record.
std::optional<std::size_t> end64_record_of(std::string_view archive, std::size_t end) noexcept {
    if (end < locator_bytes + end64_bytes ||
        !has_signature(archive, end - locator_bytes, locator_signature, locator_bytes))
        return std::nullopt;
    const auto at = archive.rfind(end64_signature, end - locator_bytes - end64_bytes);
    if (at == std::string_view::npos || at + 12 + number_at(archive, at + 4, 8) != end - locator_bytes)
        return std::nullopt;
    return at;
}

std::optional<Directory> directory_of(std::string_view archive, ZipEnd where) noexcept {
    const auto end = end_record_of(archive, where);
    if (!end) return std::nullopt;
    const auto end64 = end64_record_of(archive, *end);
    const auto size = end64 ? number_at(archive, *end64 + 40, 8) : number_at(archive, *end + 12, 4);
    const auto offset = end64 ? number_at(archive, *end64 + 48, 8) : number_at(archive, *end + 16, 4);
    const std::uint64_t ends_at = end64 ? *end64 : *end;
    if (size > ends_at || offset > ends_at - size) return std::nullopt;
    return Directory{ends_at - size, ends_at, ends_at - size - offset, end64.has_value()};
}

struct Extent {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct Entry {
    std::uint64_t packed = 0;
    std::uint64_t unpacked = 0;
    std::uint64_t offset = 0;
};

// Puts the numbers of the extra field for ZIP64 in the place of those that refer to it.
void read_zip64(std::string_view extra, Entry& entry) noexcept {
    for (std::size_t at = 0; has(extra, at, 4); at += 4 + number_at(extra, at + 2, 2)) {
        const auto field = extra.substr(at + 4, number_at(extra, at + 2, 2));
        if (number_at(extra, at, 2) != 1) continue;
        std::size_t next = 0;
        for (auto* number : {&entry.unpacked, &entry.packed, &entry.offset}) {
            if (*number != in_extra_field || !has(field, next, 8)) continue;
            *number = number_at(field, next, 8);
            next += 8;
        }
        return;
    }
}

// What a member takes of the archive; nothing if that is not in it.
std::optional<Extent> extent_of(std::string_view archive, std::uint64_t begin, std::uint64_t packed) noexcept {
    if (!has_signature(archive, begin, local_signature, local_bytes)) return std::nullopt;
    const auto end = begin + local_bytes + number_at(archive, begin + 26, 2) + number_at(archive, begin + 28, 2);
    if (end > archive.size() || packed > archive.size() - end) return std::nullopt;
    return Extent{begin, end + packed};
}

// libclamav goes by the local header's sizes, and does not know those of ZIP64. A member that is streamed has none
// there, and is unpacked to the end of its own stream.
bool has_usual_sizes(std::string_view archive, std::uint64_t at) noexcept {
    return number_at(archive, at + 18, 4) != in_extra_field && number_at(archive, at + 22, 4) != in_extra_field;
}

// A local header that has no content, as Android's tools write one over what they removed, hides nothing.
bool holds_member(std::string_view archive, std::uint64_t begin, std::uint64_t end) noexcept {
    constexpr std::uint64_t is_streamed = 8;  // a flag: the sizes follow the content
    for (auto at = archive.find(local_signature, begin); at < end; at = archive.find(local_signature, at + 1)) {
        if (!has(archive, at, local_bytes)) return true;
        if (number_at(archive, at + 18, 4) != 0 || (number_at(archive, at + 6, 2) & is_streamed) != 0) return true;
    }
    return false;
}

// Members that the directory does not list: two archives were joined, or it was exchanged.
bool hides_members(std::string_view archive, std::vector<Extent>& extents, const Directory& directory) {
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    extents.push_back({directory.begin, directory.end});
    // What precedes an archive is a program's affair, unless it is an archive, too.
    std::uint64_t seen = begins_as_zip(archive) ? 0 : extents.front().begin;
    for (const auto& extent : extents) {
        if (extent.begin > seen && holds_member(archive, seen, extent.begin)) return true;
        seen = std::max(seen, extent.end);
    }
    return false;
}

}  // namespace

bool begins_as_zip(std::string_view bytes) noexcept {
    return has_signature(bytes, 0, local_signature, local_bytes);
}

std::optional<ZipDirectory> read_zip_directory(std::string_view archive, ZipEnd where) {
    const auto directory = directory_of(archive, where);
    if (!directory) return std::nullopt;
    ZipDirectory read;
    std::vector<Extent> extents;
    for (auto at = directory->begin; at < directory->end;) {
        if (!has_signature(archive, at, entry_signature, entry_bytes)) {
            // A digital signature may follow the entries.
            if (archive.substr(at, 4) != "PK\x05\x05"sv) read.problem = UnscannedReason::Damaged;
            break;
        }
        const auto name_bytes = number_at(archive, at + 28, 2);
        const auto extra_bytes = number_at(archive, at + 30, 2);
        const auto extra = archive.substr(std::min<std::size_t>(at + entry_bytes + name_bytes, archive.size()));
        Entry entry{number_at(archive, at + 20, 4), number_at(archive, at + 24, 4), number_at(archive, at + 42, 4)};
        read_zip64(extra.substr(0, extra_bytes), entry);
        ZipMember member{entry.unpacked, is_openable(number_at(archive, at + 10, 2)),
                         (number_at(archive, at + 8, 2) & is_encrypted) != 0};
        const auto begin = entry.offset + directory->prefix;
        if (const auto extent = extent_of(archive, begin, entry.packed)) {
            member.openable = member.openable && !directory->is_zip64 && has_usual_sizes(archive, begin);
            extents.push_back(*extent);
        } else {
            read.problem = UnscannedReason::Damaged;
        }
        read.members.push_back(member);
        at += entry_bytes + name_bytes + extra_bytes + number_at(archive, at + 32, 2);
    }
    if (!read.problem && hides_members(archive, extents, *directory))
        read.problem = UnscannedReason::UnsupportedArchive;
    return read;
}

}  // namespace clamscanner
