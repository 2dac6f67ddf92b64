#include "fcgi/cross_site.h"

#include <algorithm>

namespace clamscanner {
namespace {

bool same_ignoring_case(std::string_view one, std::string_view other) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(one, other, {}, lower, lower);
}

// Without the port that the scheme implies: browsers leave it out, others may not.
std::string_view without_default_port(std::string_view host, std::string_view scheme) {
    const std::string_view port = same_ignoring_case(scheme, "https") ? ":443" : ":80";
    if (host.ends_with(port)) host.remove_suffix(port.size());
    return host;
}

// Whether that origin is the one asked for. "null", for one, is not.
bool is_own(std::string_view origin, const Provenance& provenance) {
    const auto separator = origin.find("://");
    if (separator == std::string_view::npos || provenance.host.empty()) return false;
    const auto scheme = origin.substr(0, separator);
    const auto host = origin.substr(separator + 3);
    return same_ignoring_case(scheme, provenance.scheme) &&
           same_ignoring_case(without_default_port(host, scheme), without_default_port(provenance.host, scheme));
}

// Of an address, all before its path.
std::string_view origin_of(std::string_view address) {
    const auto separator = address.find("://");
    if (separator == std::string_view::npos) return {};
    return address.substr(0, address.find_first_of("/?#", separator + 3));
}

}  // namespace

std::string_view cross_site_header(const Provenance& provenance) {
    if (const auto& site = provenance.sec_fetch_site; !site.empty())
        return site == "same-origin" || site == "none" ? "" : "Sec-Fetch-Site";
    if (!provenance.origin.empty()) return is_own(provenance.origin, provenance) ? "" : "Origin";
    if (!provenance.referer.empty()) return is_own(origin_of(provenance.referer), provenance) ? "" : "Referer";
    return "";
}

}  // namespace clamscanner
