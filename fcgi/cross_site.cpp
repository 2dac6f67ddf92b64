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

bool is_requested_host(const Provenance& provenance) {
    const auto separator = provenance.origin.find("://");
    if (separator == std::string_view::npos || provenance.host.empty()) return false;  // "null", for one
    const auto scheme = provenance.origin.substr(0, separator);
    const auto host = provenance.origin.substr(separator + 3);
    if (!provenance.scheme.empty() && !same_ignoring_case(scheme, provenance.scheme)) return false;
    return same_ignoring_case(without_default_port(host, scheme), without_default_port(provenance.host, scheme));
}

}  // namespace

bool is_cross_site(const Provenance& provenance) {
    const auto& site = provenance.sec_fetch_site;
    if (!site.empty() && site != "same-origin" && site != "none") return true;
    return !provenance.origin.empty() && !is_requested_host(provenance);
}

}  // namespace clamscanner
