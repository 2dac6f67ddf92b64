#include "fcgi/cross_site.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(a_client_that_is_not_a_browser_is_same_site) {
    BOOST_TEST(!is_cross_site({"", "", "example.org", "https"}));
    BOOST_TEST(!is_cross_site({"", "", "", ""}));
}

BOOST_AUTO_TEST_CASE(sec_fetch_site_is_believed) {
    BOOST_TEST(!is_cross_site({"same-origin", "", "example.org", "https"}));
    BOOST_TEST(!is_cross_site({"none", "", "example.org", "https"}));
    for (const char* site : {"cross-site", "same-site", "Same-Origin", "same-origin, cross-site", "x"})
        BOOST_TEST(is_cross_site({site, "", "example.org", "https"}), site);
}

BOOST_AUTO_TEST_CASE(an_origin_must_be_the_requested_host) {
    BOOST_TEST(!is_cross_site({"", "https://example.org", "example.org", "https"}));
    BOOST_TEST(!is_cross_site({"", "https://EXAMPLE.org", "example.ORG", "https"}));
    BOOST_TEST(!is_cross_site({"", "https://example.org:2083", "example.org:2083", "https"}));
    BOOST_TEST(!is_cross_site({"", "https://example.org", "example.org:443", "https"}));
    BOOST_TEST(!is_cross_site({"", "http://127.0.0.1:8080", "127.0.0.1:8080", "http"}));
    BOOST_TEST(!is_cross_site({"", "http://[::1]", "[::1]:80", "http"}));
    for (const char* origin :
         {"https://evil.org", "https://example.org.evil.org", "https://example.org:8443", "http://example.org", "null",
          "example.org", "https://", "https://example.org/", "https://user@example.org"})
        BOOST_TEST(is_cross_site({"", origin, "example.org", "https"}), origin);
}

BOOST_AUTO_TEST_CASE(either_header_alone_makes_a_request_cross_site) {
    BOOST_TEST(is_cross_site({"same-origin", "https://evil.org", "example.org", "https"}));
    BOOST_TEST(is_cross_site({"cross-site", "https://example.org", "example.org", "https"}));
}

BOOST_AUTO_TEST_CASE(an_origin_without_a_host_to_compare_is_cross_site) {
    BOOST_TEST(is_cross_site({"", "https://example.org", "", "https"}));
}

BOOST_AUTO_TEST_CASE(without_a_known_scheme_the_host_decides) {
    BOOST_TEST(!is_cross_site({"", "https://example.org", "example.org", ""}));
    BOOST_TEST(is_cross_site({"", "https://evil.org", "example.org", ""}));
}
