#include "fcgi/token_credentials.h"

#include <algorithm>

#include "auth/authd/messages.h"

namespace clamscanner {
namespace {

constexpr std::string_view scheme = "cpanel";

bool is_forbidden(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f;
}

// The part after the scheme, without the spaces around it; empty when it is another scheme.
std::string_view pair_of(std::string_view header) {
    const auto same = [](char given, char wanted) { return given == wanted || given == wanted - 'a' + 'A'; };
    header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
    if (header.size() <= scheme.size() || !std::ranges::equal(header.substr(0, scheme.size()), scheme, same)) return {};
    auto pair = header.substr(scheme.size());
    if (!pair.starts_with(' ')) return {};
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    return pair.substr(0, pair.find_last_not_of(' ') + 1);
}

}  // namespace

std::optional<TokenCredentials> token_credentials_of(std::string_view header) {
    const auto pair = pair_of(header);
    const auto colon = pair.find(':');
    if (colon == std::string_view::npos || std::ranges::any_of(pair, is_forbidden)) return std::nullopt;
    const auto user = pair.substr(0, colon);
    const auto token = pair.substr(colon + 1);
    if (user.empty() || user.size() > longest_user_name || token.empty() || token.size() > longest_password)
        return std::nullopt;
    return TokenCredentials{std::string(user), Secret(token)};
}

}  // namespace clamscanner
