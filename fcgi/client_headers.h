// The request headers that both gateways read.
#pragma once

#include <optional>

#include "fcgi/basic_credentials.h"
#include "fcgi/cross_site.h"
#include "fcgi/token_credentials.h"
#include "fcgi/web_request.h"

namespace clamscanner {

[[nodiscard]] inline Provenance provenance_of(const WebRequest& web) {
    // The scheme according to the web server, in either of the two usual variables.
    const auto scheme = web.parameter("REQUEST_SCHEME");
    return {web.parameter("HTTP_SEC_FETCH_SITE"), web.parameter("HTTP_ORIGIN"), web.parameter("HTTP_HOST"),
            scheme.empty() && web.parameter("HTTPS") == "on" ? "https" : scheme};
}

// Wipes the password where it was read.
[[nodiscard]] inline std::optional<BasicCredentials> take_credentials(WebRequest& web) {
    auto credentials = basic_credentials_of(web.parameter("HTTP_AUTHORIZATION"));
    web.wipe_parameter("HTTP_AUTHORIZATION");
    return credentials;
}

// Either of the two, or neither.
struct ClientCredentials {
    std::optional<BasicCredentials> basic;
    std::optional<TokenCredentials> token;
};

// The same for the interface that also takes API tokens.
[[nodiscard]] inline ClientCredentials take_any_credentials(WebRequest& web) {
    auto token = token_credentials_of(web.parameter("HTTP_AUTHORIZATION"));
    return {take_credentials(web), std::move(token)};
}

}  // namespace clamscanner
