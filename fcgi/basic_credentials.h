// Parses the Authorization header of HTTP Basic (RFC 7617), strictly. The header is untrusted; every copy of the
// password made here is wiped.
//
// A name or a password whose bytes are not UTF-8 is read as Latin-1 and given as UTF-8, which is what hosts store.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/base/secret.h"

namespace clamscanner {

struct BasicCredentials {
    std::string user;
    Secret password;
};

// Empty when anything is wrong with it: another scheme, base64 that is not canonical, a control character, no colon, an
// empty or over-long name or password (as UTF-8).
[[nodiscard]] std::optional<BasicCredentials> basic_credentials_of(std::string_view header);

}  // namespace clamscanner
