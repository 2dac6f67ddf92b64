#include "jobs/engine/worker/encrypted_document.h"

#include <array>
#include <cstddef>

namespace clamscanner {
namespace {

using namespace std::string_view_literals;

// Sectors have 512 or 4096 bytes, and the header takes one, so all that is looked for lies at a multiple of these,
// whatever the tables of sectors say. A stream may hold a compound file as it is: then something in it is encrypted.
constexpr std::size_t directory_entry_bytes = 128;
constexpr std::size_t sector_bytes = 512;

// The name of a directory entry has 64 bytes, the number of those used follows, and the type: 2 is a stream.
constexpr auto encrypted_package = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0\0\0"sv;
constexpr auto size_and_type = "\x22\0\x02"sv;

// [MS-DOC] 2.5.2, FibBase: the magic at 0, the flag fEncrypted in the second byte of those at 10.
constexpr auto word_magic = "\xEC\xA5"sv;
constexpr std::size_t word_flags = 11;
constexpr unsigned char word_encrypted = 0x01;

// [MS-XLS]: a workbook begins with BOF (0x0809) of 16 bytes; when it is encrypted, FilePass (0x2F) follows, at once or
// after WriteProtect (0x86), which is empty.
constexpr auto workbook = "\x09\x08\x10\0\0\x06\x05\0"sv;
constexpr std::size_t after_bof = 20;
constexpr auto file_pass = "\x2F\0"sv;
constexpr auto write_protect = "\x86\0\0\0"sv;

// [MS-PPT] 2.3.2: the header token of CurrentUserAtom in an encrypted presentation.
constexpr auto encrypted_presentation = "\0\0\xF6\x0F"sv;
constexpr auto presentation_token = "\xDF\xC4\xD1\xF3"sv;

bool is_encrypted_word(std::string_view sector) noexcept {
    return sector.starts_with(word_magic) && (static_cast<unsigned char>(sector[word_flags]) & word_encrypted) != 0;
}

bool is_encrypted_workbook(std::string_view sector) noexcept {
    if (!sector.starts_with(workbook)) return false;
    sector.remove_prefix(after_bof);
    if (sector.starts_with(write_protect)) sector.remove_prefix(write_protect.size());
    return sector.starts_with(file_pass);
}

// A small stream: it lies among others of its kind, at a multiple of 64 bytes.
bool is_encrypted_presentation(std::string_view bytes) noexcept {
    return bytes.starts_with(encrypted_presentation) && bytes.substr(12, 4) == presentation_token;
}

bool is_package(std::string_view entry) noexcept {
    return entry.starts_with(encrypted_package) && entry.substr(64, size_and_type.size()) == size_and_type;
}

}  // namespace

bool is_encrypted_document(std::string_view document) noexcept {
    constexpr std::size_t step = 64;
    for (std::size_t at = sector_bytes; at + directory_entry_bytes <= document.size(); at += step) {
        const auto bytes = document.substr(at, directory_entry_bytes);
        if (is_encrypted_presentation(bytes)) return true;
        if (at % directory_entry_bytes == 0 && is_package(bytes)) return true;
        if (at % sector_bytes == 0 && (is_encrypted_word(bytes) || is_encrypted_workbook(bytes))) return true;
    }
    return false;
}

}  // namespace clamscanner
