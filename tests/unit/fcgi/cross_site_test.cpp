#include "fcgi/cross_site.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

// What the address of the page says, if anything does.
Provenance by_origin(std::string_view origin, std::string_view host = "example.org",
                     std::string_view scheme = "https") {
    return {"", origin, "", host, scheme};
}
Provenance by_referer(std::string_view referer, std::string_view host = "example.org",
                      std::string_view scheme = "https") {
    return {"", "", referer, host, scheme};
}

constexpr std::string_view nothing;

// Origins of which none is https://example.org.
constexpr const char* foreign[] = {"https://evil.org",
                                   "https://example.org.evil.org",
                                   "https://evilexample.org",
                                   "https://example.org:8443",
                                   "https://example.org:80",
                                   "http://example.org",
                                   "http://example.org:443",
                                   "null",
                                   "example.org",
                                   "//example.org",
                                   "https://",
                                   "https:///example.org",
                                   "https://user@example.org",
                                   "https://example.org@evil.org",
                                   "https://example.org.",
                                   "https://evil.org, https://example.org",
                                   " https://example.org",
                                   "file://"};

}  // namespace

BOOST_AUTO_TEST_CASE(a_client_that_is_not_a_browser_is_same_site) {
    BOOST_TEST(cross_site_header({"", "", "", "example.org", "https"}) == nothing);
    BOOST_TEST(cross_site_header({"", "", "", "", "http"}) == nothing);
}

BOOST_AUTO_TEST_CASE(sec_fetch_site_decides_alone) {
    for (const char* other : {"", "https://example.org", "https://inside.example", "null"})
        for (const char* site : {"same-origin", "none"}) {
            // As behind a proxy that changes Host.
            BOOST_TEST(cross_site_header({site, other, "", "localhost:8080", "http"}) == nothing, other);
            BOOST_TEST(cross_site_header({site, "", other, "localhost:8080", "http"}) == nothing, other);
        }
    for (const char* site : {"cross-site", "same-site", "Same-Origin", "same-origin, cross-site", " none", "x"}) {
        BOOST_TEST(cross_site_header({site, "", "", "example.org", "https"}) == "Sec-Fetch-Site", site);
        BOOST_TEST(cross_site_header({site, "https://example.org", "https://example.org/", "example.org", "https"}) ==
                   "Sec-Fetch-Site");
    }
}

BOOST_AUTO_TEST_CASE(an_origin_must_be_the_one_asked_for) {
    BOOST_TEST(cross_site_header(by_origin("https://example.org")) == nothing);
    BOOST_TEST(cross_site_header(by_origin("HTTPS://EXAMPLE.org", "example.ORG")) == nothing);
    BOOST_TEST(cross_site_header(by_origin("https://example.org:2083", "example.org:2083")) == nothing);
    BOOST_TEST(cross_site_header(by_origin("https://example.org", "example.org:443")) == nothing);
    BOOST_TEST(cross_site_header(by_origin("http://127.0.0.1:8080", "127.0.0.1:8080", "http")) == nothing);
    BOOST_TEST(cross_site_header(by_origin("http://[::1]", "[::1]:80", "http")) == nothing);
    for (const char* origin : foreign) BOOST_TEST(cross_site_header(by_origin(origin)) == "Origin", origin);
    BOOST_TEST(cross_site_header(by_origin("https://example.org/")) == "Origin");
}

BOOST_AUTO_TEST_CASE(the_scheme_is_part_of_an_origin) {
    BOOST_TEST(cross_site_header(by_origin("https://127.0.0.1:8080", "127.0.0.1:8080", "http")) == "Origin");
    BOOST_TEST(cross_site_header(by_origin("http://example.org:8443", "example.org:8443", "https")) == "Origin");
    BOOST_TEST(cross_site_header(by_referer("https://127.0.0.1:8080/", "127.0.0.1:8080", "http")) == "Referer");
    BOOST_TEST(cross_site_header(by_referer("http://example.org:8443/", "example.org:8443", "https")) == "Referer");
}

BOOST_AUTO_TEST_CASE(without_an_origin_a_foreign_referer_refuses) {
    for (const char* rest : {"", "/", "/page?x=https://evil.org/", "?x", "#x"})
        BOOST_TEST(cross_site_header(by_referer(std::string("https://example.org") + rest)) == nothing, rest);
    for (const char* origin : foreign)
        for (const char* rest : {"", "/", "/https://example.org/"})
            BOOST_TEST(cross_site_header(by_referer(std::string(origin) + rest)) == "Referer", origin << rest);
    // Where an Origin was sent, it decides.
    BOOST_TEST(cross_site_header({"", "https://example.org", "https://evil.org/", "example.org", "https"}) == nothing);
    BOOST_TEST(cross_site_header({"", "https://evil.org", "https://example.org/", "example.org", "https"}) == "Origin");
}

BOOST_AUTO_TEST_CASE(without_a_host_to_compare_a_page_is_foreign) {
    BOOST_TEST(cross_site_header(by_origin("https://example.org", "")) == "Origin");
    BOOST_TEST(cross_site_header(by_origin("https://", "")) == "Origin");
    BOOST_TEST(cross_site_header(by_referer("https://example.org/", "")) == "Referer");
}
