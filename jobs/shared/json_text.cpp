#include "jobs/shared/json_text.h"

#include <algorithm>

#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

bool in_range(char c, unsigned least, unsigned most) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= least && byte <= most;
}

// The bytes that may begin a character, how long it is, and what its second byte may be (Unicode 15, table 3-7); every
// later byte is 80 … BF.
struct Utf8Row {
    unsigned char first_least, first_most, second_least, second_most;
    std::size_t length;
};
constexpr Utf8Row utf8_rows[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

constexpr char surrogate_lead = '\xed';  // of ED A0 80 … ED BF BF, which valid UTF-8 never holds

}  // namespace

std::size_t utf8_length(std::string_view bytes) noexcept {
    if (bytes.empty()) return 0;
    if (in_range(bytes[0], 0x00, 0x7f)) return 1;
    for (const auto& row : utf8_rows) {
        if (!in_range(bytes[0], row.first_least, row.first_most)) continue;
        if (bytes.size() < row.length || !in_range(bytes[1], row.second_least, row.second_most)) return 0;
        for (std::size_t i = 2; i < row.length; ++i)
            if (!in_range(bytes[i], 0x80, 0xbf)) return 0;
        return row.length;
    }
    return 0;
}

bool is_utf8(std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const auto length = utf8_length(bytes);
        if (length == 0) return false;
        bytes.remove_prefix(length);
    }
    return true;
}

std::string_view first_characters(std::string_view bytes, std::size_t count) noexcept {
    std::size_t end = 0;
    for (; count > 0 && end < bytes.size(); --count) end += std::max<std::size_t>(utf8_length(bytes.substr(end)), 1);
    return bytes.substr(0, end);
}

std::string json_text(std::string_view bytes) {
    std::string json;
    JsonWriter(json).text(bytes);
    return json;
}

std::optional<std::string> bytes_of_json_text(std::string_view decoded) {
    std::string bytes;
    bytes.reserve(decoded.size());
    while (!decoded.empty()) {
        const bool surrogate = decoded[0] == surrogate_lead && decoded.size() >= 3 && !in_range(decoded[1], 0x80, 0x9f);
        if (!surrogate) {
            bytes += decoded[0];
            decoded.remove_prefix(1);
            continue;
        }
        // ED B2 80 … ED B3 BF carry the byte's seven low bits.
        if (!in_range(decoded[1], 0xb2, 0xb3)) return std::nullopt;
        bytes += static_cast<char>(0x80 | ((decoded[1] & 1) << 6) | (decoded[2] & 0x3f));
        decoded.remove_prefix(3);
    }
    return bytes;
}

}  // namespace clamscanner
