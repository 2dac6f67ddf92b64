// What both gateways read of a request's headers and of what the web server says about its site.
#pragma once

#include <optional>

#include "fcgi/basic_credentials.h"
#include "fcgi/cross_site.h"
#include "fcgi/document_roots.h"
#include "fcgi/token_credentials.h"
#include "fcgi/web_request.h"
#include "handlers/shared/media_type.h"

namespace clamscanner {

// By which the client's browser asked. Where a proxy ends TLS in front of a plain loopback server, X-Forwarded-Proto
// says so: a web page cannot add it to a request to another site (CORS), and here it only ever turns http into https.
[[nodiscard]] inline std::string_view scheme_of(const WebRequest& web) {
    const auto forwarded = web.parameter("HTTP_X_FORWARDED_PROTO");
    const bool is_https = web.parameter("REQUEST_SCHEME") == "https" || web.parameter("HTTPS") == "on" ||
                          lower_case(forwarded.substr(0, forwarded.find(','))) == "https";
    return is_https ? "https" : "http";
}

[[nodiscard]] inline Provenance provenance_of(const WebRequest& web) {
    return {web.parameter("HTTP_SEC_FETCH_SITE"), web.parameter("HTTP_ORIGIN"), web.parameter("HTTP_REFERER"),
            web.parameter("HTTP_HOST"), scheme_of(web)};
}

// Whether a script of a page waits for the answer, and not a browser's window: a 401 that challenges would have the
// browser ask for the password in a box of its own, although the page asks for it.
[[nodiscard]] inline bool is_from_script(const WebRequest& web) {
    return web.parameter("HTTP_SEC_FETCH_DEST") == "empty";
}

// The administrator may say in the site's file that the document root is to be no matter.
[[nodiscard]] inline bool serves_an_account(const WebRequest& web, DocumentRoots& roots) {
    return web.parameter("CLAMSCANNER_DOCUMENT_ROOT") != "unchecked" &&
           roots.is_an_accounts(std::string(web.parameter("DOCUMENT_ROOT")));
}
inline constexpr const char* serves_an_accounts_content =
    "This address serves the content of an account, so the virus scanner does not answer here: it needs an address of "
    "the panel's own.";

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
