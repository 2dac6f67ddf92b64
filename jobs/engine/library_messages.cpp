#include "jobs/engine/library_messages.h"

#include <algorithm>
#include <array>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

using namespace std::string_view_literals;

// How the messages of libclamav 1.4 about damaged input begin.
constexpr std::array about_input = {
    "cli_scanxz: premature end"sv,
    "cli_scanxz: decompress error"sv,
    "GIF: "sv,
    "JPEG: "sv,
    "cli_parsetiff: Invalid offset"sv,
    "scanzws: possibly truncated file"sv,
    "HWP3.x: "sv,
    "HWPML: Unrecognized encoding"sv,
    "hfsplus_readheader: "sv,
    "hfsplus_walk_catalog: failed to convert"sv,
    "hfsplus_volumeheader: cannot read header"sv,
    "egg_parse_archive_extra_field: "sv,
    "egg_parse_file_extra_field: "sv,
    "cli_egg_deflate_decompress: failed to decompress"sv,
    "cli_egg_bzip2_decompress: failed to decompress"sv,
    "cli_egg_lzma_decompress: failed to decompress"sv,
    "cli_egg_extract_file: unknown compression"sv,
    "cli_bcapi_bzip2_process: failed to decompress"sv,
    "pdf_readstring: Invalid, truncated"sv,
    "email message decode error: "sv,
    "Couldn't decode binhex"sv,
    "Failed to parse OneNote file"sv,
    "cli_unzip: Number of file records"sv,
};

// Messages that begin like one of those and are about the machine all the same.
constexpr std::array about_machine = {
    "memory"sv, "alloc"sv, "Can't "sv, "fmap"sv, "descriptor"sv, "Invalid args"sv, "Invalid handle"sv, "Logic error"sv,
};

}  // namespace

std::string loggable(std::string_view message) {
    constexpr std::string_view frame = "* \t\r\n";
    const auto first = message.find_first_not_of(frame);
    if (first == std::string_view::npos) return {};
    return printable(message.substr(first, message.find_last_not_of(frame) - first + 1));
}

bool is_about_the_input(std::string_view message) noexcept {
    const auto begins = [&](std::string_view beginning) { return message.starts_with(beginning); };
    const auto contains = [&](std::string_view words) { return message.find(words) != std::string_view::npos; };
    return std::any_of(about_input.begin(), about_input.end(), begins) &&
           std::none_of(about_machine.begin(), about_machine.end(), contains);
}

}  // namespace clamscanner
