#include "fcgi/cross_site.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(what_is_no_browser_is_of_this_site) {
    BOOST_TEST(!is_cross_site({"", "", "example.org", "https"}));
    BOOST_TEST(!is_cross_site({"", "", "", ""}));
}

BOOST_AUTO_TEST_CASE(the_browsers_own_word_is_taken) {
    BOOST_TEST(!is_cross_site({"same-origin", "", "example.org", "https"}));
    BOOST_TEST(!is_cross_site({"none", "", "example.org", "https"}));
    for (const char* site : {"cross-site", "same-site", "Same-Origin", "same-origin, cross-site", "x"})
        BOOST_TEST(is_cross_site({site, "", "example.org", "https"}), site);
}

BOOST_AUTO_TEST_CASE(an_origin_must_be_the_host_asked_for) {
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

BOOST_AUTO_TEST_CASE(one_word_against_is_enough) {
    BOOST_TEST(is_cross_site({"same-origin", "https://evil.org", "example.org", "https"}));
    BOOST_TEST(is_cross_site({"cross-site", "https://example.org", "example.org", "https"}));
}

BOOST_AUTO_TEST_CASE(an_origin_without_a_host_to_compare_is_another) {
    BOOST_TEST(is_cross_site({"", "https://example.org", "", "https"}));
}

BOOST_AUTO_TEST_CASE(without_a_known_scheme_the_host_decides) {
    BOOST_TEST(!is_cross_site({"", "https://example.org", "example.org", ""}));
    BOOST_TEST(is_cross_site({"", "https://evil.org", "example.org", ""}));
}
