#include "jobs/shared/json_writer.h"

#include <algorithm>

#include "jobs/shared/json_text.h"

namespace clamscanner {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

bool is_plain(char c) noexcept {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Escapes valid UTF-8 as RapidJSON's writer does, and writes \udcXX for each byte that is not. RapidJSON's writers copy
// such a byte unchanged, or stop.
std::string escaped(std::string_view bytes) {
    std::string json = "\"";
    json.reserve(bytes.size() + 16);
    while (!bytes.empty()) {
        const auto length = utf8_length(bytes);
        const auto byte = static_cast<unsigned char>(bytes[0]);
        if (length == 0) {
            json += "\\udc";
            json += hex_digits[byte >> 4];
            json += hex_digits[byte & 15];
        } else if (byte < 0x20) {
            json += "\\u00";
            json += hex_digits[byte >> 4];
            json += hex_digits[byte & 15];
        } else {
            if (byte == '"' || byte == '\\') json += '\\';
            json += bytes.substr(0, length);
        }
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return json += '"';
}

}  // namespace

void JsonWriter::text(std::string_view bytes) {
    if (std::ranges::all_of(bytes, is_plain)) {
        writer_.plain_text(bytes);
    } else if (is_utf8(bytes)) {
        writer_.String(bytes.data(), static_cast<rapidjson::SizeType>(bytes.size()));
    } else {
        writer_.raw(escaped(bytes), rapidjson::kStringType);
    }
}

}  // namespace clamscanner
