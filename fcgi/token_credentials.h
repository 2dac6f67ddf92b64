// Parses the Authorization header that carries an API token, as UAPI's clients send it: "cpanel USER:TOKEN". Untrusted;
// whether it is a token at all is authd's to say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/base/secret.h"

namespace clamscanner {

struct TokenCredentials {
    std::string user;
    Secret token;
};

// Empty when anything is wrong with it: another scheme, a control character, no colon, an empty or over-long name or
// token. The scheme's letters may be of either case, and spaces around name and token do not matter.
[[nodiscard]] std::optional<TokenCredentials> token_credentials_of(std::string_view header);

}  // namespace clamscanner
