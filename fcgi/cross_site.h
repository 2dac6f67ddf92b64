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
    std::string_view host;    // the host asked for, with its port if it was named
    std::string_view scheme;  // of the request, according to the web server; "" when unknown
};

[[nodiscard]] bool is_cross_site(const Provenance& provenance);

}  // namespace clamscanner
