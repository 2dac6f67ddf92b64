// Whether a browser sent a request on behalf of another site's page. Browsers send Basic credentials along by
// themselves, so such a request must not change anything. All of it is untrusted, but a web page cannot forge these
// headers.
#pragma once

#include <string_view>

namespace clamscanner {

// Headers, "" for one that was not sent.
struct Provenance {
    std::string_view sec_fetch_site;
    std::string_view origin;
    std::string_view referer;
    std::string_view host;    // the host asked for, with its port if it was named
    std::string_view scheme;  // by which the browser asked: "http" or "https"
};

// The name of the header that says so; "" when none does. The first of these that was sent decides alone:
//
//   Sec-Fetch-Site   the browser has compared the addresses itself, so a proxy that changes Host does not matter. Not
//                    sent over plain HTTP to another machine, nor by browsers of before 2023.
//   Origin           scheme, host and port must be those that were asked for
//   Referer          the same of its beginning
//
// With none of them it is taken for no browser's: an old one that was made to send none passes, too.
[[nodiscard]] std::string_view cross_site_header(const Provenance& provenance);

}  // namespace clamscanner
