#include "jobs/notify/mail_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>

#include "jobs/shared/json_text.h"

namespace clamscanner {
namespace {

struct Range {
    std::uint32_t first;
    std::uint32_t last;
};

// Controls, what has no width or turns the direction, private and unassigned planes, surrogates. The space is seen.
constexpr Range unseen[] = {
    {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},     {0x115f, 0x1160},
    {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
    {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xffff}, {0x13430, 0x1345f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

bool can_be_seen(std::uint32_t character) {
    return std::ranges::none_of(
        unseen, [&](const Range& range) { return range.first <= character && character <= range.last; });
}

// Of a valid character.
std::uint32_t code_of(std::string_view utf8) {
    const auto first = static_cast<unsigned char>(utf8[0]);
    if (utf8.size() == 1) return first;
    std::uint32_t code = first & (0x7fU >> utf8.size());
    for (const char c : utf8.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3fU);
    return code;
}

std::string escaped(const char* format, std::uint32_t code) {
    char text[16];
    return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, format, code))};
}

std::string first_visible(std::string_view bytes, std::size_t length) {
    if (length == 0) return escaped("\\x%02x", static_cast<unsigned char>(bytes[0]));
    const auto character = bytes.substr(0, length);
    const auto code = code_of(character);
    if (can_be_seen(code)) return std::string(character);
    return escaped(code > 0xffff ? "\\U%08x" : "\\u%04x", code);
}

}  // namespace

std::string visible(std::string_view bytes, std::size_t most_bytes) {
    std::string text;
    char before = ' ';
    while (!bytes.empty()) {
        const auto length = utf8_length(bytes);
        const bool is_lost = bytes[0] == ' ' && (before == ' ' || bytes.size() == 1);
        const auto next = is_lost ? "\\x20" : first_visible(bytes, length);
        before = bytes[0];
        if (text.size() + next.size() > most_bytes) return text + "…";
        text += next;
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return text;
}

std::string wrapped(std::string_view paragraph, std::string_view bullet) {
    constexpr std::size_t width = 72;
    const std::string indent(bullet.size(), ' ');
    std::string lines;
    std::string line(bullet);
    while (!paragraph.empty()) {
        const auto end = std::min(paragraph.find_first_of(" \n"), paragraph.size());
        const auto word = paragraph.substr(0, end);
        const bool begins = line.size() == bullet.size();
        if (!begins && line.size() + 1 + word.size() > width) {
            lines += line + "\n";
            line = indent;
        } else if (!begins) {
            line += ' ';
        }
        line += word;
        if (end < paragraph.size() && paragraph[end] == '\n') {
            lines += line + "\n";
            line = indent;
        }
        paragraph.remove_prefix(std::min(end + 1, paragraph.size()));
    }
    return lines + line + "\n";
}

bool is_ascii(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string quoted_printable(std::string_view text) {
    constexpr std::size_t longest_line = 75;  // and the "=" that breaks it
    std::string encoded;
    std::size_t line = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\n') {
            encoded += c;
            line = 0;
            continue;
        }
        const bool ends_line = i + 1 == text.size() || text[i + 1] == '\n';
        const bool stays = c > ' ' && c <= '~' && c != '=';
        const auto next =
            stays || (c == ' ' && !ends_line) ? std::string(1, c) : escaped("=%02X", static_cast<unsigned char>(c));
        if (line + next.size() > longest_line) {
            encoded += "=\n";
            line = 0;
        }
        encoded += next;
        line += next.size();
    }
    return encoded;
}

std::string with_crlf(std::string_view text) {
    std::string lines;
    for (const char c : text) {
        if (c == '\n') lines += '\r';
        lines += c;
    }
    return lines;
}

}  // namespace clamscanner
