// What both gates read of a request's headers.
#pragma once

#include <optional>

#include "fcgi/basic_credentials.h"
#include "fcgi/cross_site.h"
#include "fcgi/web_request.h"

namespace clamscanner {

[[nodiscard]] inline Provenance provenance_of(const WebRequest& web) {
    // The scheme by the web server's word, in either of the forms they have for it.
    const auto scheme = web.parameter("REQUEST_SCHEME");
    return {web.parameter("HTTP_SEC_FETCH_SITE"), web.parameter("HTTP_ORIGIN"), web.parameter("HTTP_HOST"),
            scheme.empty() && web.parameter("HTTPS") == "on" ? "https" : scheme};
}

// Leaves no password where it was read.
[[nodiscard]] inline std::optional<BasicCredentials> take_credentials(WebRequest& web) {
    auto credentials = basic_credentials_of(web.parameter("HTTP_AUTHORIZATION"));
    web.wipe_parameter("HTTP_AUTHORIZATION");
    return credentials;
}

}  // namespace clamscanner
