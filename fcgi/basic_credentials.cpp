#include "fcgi/basic_credentials.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "auth/authd/messages.h"
#include "jobs/shared/json_text.h"

namespace clamscanner {
namespace {

constexpr std::string_view scheme = "basic";
// Base64 of the longest name, a colon and the longest password.
constexpr std::size_t longest_token = (longest_user_name + 1 + longest_password + 2) / 3 * 4;

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::int8_t not_base64 = -1;
constexpr auto base64_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(not_base64);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return values;
}();

// The part after the scheme; empty when it is another scheme.
std::string_view token_of(std::string_view header) {
    const auto same = [](char given, char wanted) { return given == wanted || given == wanted - 'a' + 'A'; };
    if (header.size() <= scheme.size() || !std::ranges::equal(header.substr(0, scheme.size()), scheme, same)) return {};
    auto token = header.substr(scheme.size());
    if (!token.starts_with(' ')) return {};
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    return token;
}

// Appends to `bytes`, which must have room: growing would leave a copy behind. Canonical base64 only, so that one pair
// of credentials has one spelling.
bool decode_base64(std::string_view token, std::string& bytes) {
    if (token.empty() || token.size() % 4 != 0) return false;
    const std::size_t padding = token.ends_with("==") ? 2 : token.ends_with('=') ? 1 : 0;
    token.remove_suffix(padding);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : token) {
        const auto value = base64_values[static_cast<unsigned char>(c)];
        if (value == not_base64) return false;
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes += static_cast<char>(bits >> held & 0xff);
    }
    return (bits & ((1U << held) - 1)) == 0;
}

bool is_control(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

Secret utf8_of_latin1(std::string_view bytes) {
    std::string text;
    text.reserve(2 * bytes.size());  // growing would leave a copy behind
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80) text += static_cast<char>(0xc0 | byte >> 6);
        text += byte >= 0x80 ? static_cast<char>(0x80 | (byte & 0x3f)) : c;
    }
    Secret wiped(text);
    ::explicit_bzero(text.data(), text.size());
    return wiped;
}

// Most clients send UTF-8; btoa() in a browser and some libraries send Latin-1, in which hardly any text is also valid
// UTF-8. There is one reading of the bytes, never two: each request is one guess.
Secret as_utf8(std::string_view bytes) {
    return is_utf8(bytes) ? Secret(bytes) : utf8_of_latin1(bytes);
}

// Name and password are read each for itself: a library may be given one as bytes and the other as text. Reading them
// makes no control character of ASCII and no colon that was not there.
std::optional<BasicCredentials> split(std::string_view pair) {
    const auto colon = pair.find(':');
    if (colon == std::string_view::npos || std::ranges::any_of(pair, is_control)) return std::nullopt;
    const auto user = as_utf8(pair.substr(0, colon));
    auto password = as_utf8(pair.substr(colon + 1));
    if (user.empty() || user.reveal().size() > longest_user_name || password.empty() ||
        password.reveal().size() > longest_password)
        return std::nullopt;
    return BasicCredentials{user.reveal(), std::move(password)};
}

}  // namespace

std::optional<BasicCredentials> basic_credentials_of(std::string_view header) {
    const auto token = token_of(header);
    if (token.size() > longest_token) return std::nullopt;
    std::string pair;
    pair.reserve(token.size());
    auto credentials = decode_base64(token, pair) ? split(pair) : std::nullopt;
    ::explicit_bzero(pair.data(), pair.size());
    return credentials;
}

}  // namespace clamscanner
