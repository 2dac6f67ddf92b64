#include "fcgi/token_credentials.h"

#include <boost/test/unit_test.hpp>

#include "auth/authd/messages.h"

using namespace clamscanner;
using namespace std::string_literals;

namespace {

bool refused(const std::string& header) {
    return !token_credentials_of(header).has_value();
}

void check(const std::string& header, const std::string& user, const std::string& token) {
    BOOST_TEST_CONTEXT(header) {
        const auto credentials = token_credentials_of(header);
        BOOST_REQUIRE(credentials.has_value());
        BOOST_TEST(credentials->user == user);
        BOOST_TEST(credentials->token.reveal() == token);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(name_and_token_are_read) {
    check("cpanel user:JPQNSRU0DH448UJLGXH7KVJECC5QN9N9", "user", "JPQNSRU0DH448UJLGXH7KVJECC5QN9N9");
    check("cpanel u:t", "u", "t");
    check("cpanel u:t:more", "u", "t:more");
}

BOOST_AUTO_TEST_CASE(the_schemes_case_and_spaces_around_do_not_matter) {
    for (const char* header :
         {"CPANEL u:t", "cPanel u:t", "CpAnEl u:t", "cpanel   u:t", "cpanel u:t   ", "  cpanel u:t", "cpanel  u:t "})
        check(header, "u", "t");
}

BOOST_AUTO_TEST_CASE(another_scheme_is_refused) {
    for (const char* header : {"", "cpanel", "cpanel ", "cpane u:t", "cpanelu:t", "cpanel\tu:t", "cpanel: u:t",
                               "whm u:t", "Basic dTp0", "Bearer u:t", "u:t", "token u:t"})
        BOOST_TEST(refused(header), header);
}

BOOST_AUTO_TEST_CASE(name_and_token_must_both_be_there_and_hold_no_space) {
    for (const auto& pair : {":"s, "u:"s, ":t"s, "ut"s, "u :t"s, "u: t"s, "u t:t"s, "u:t t"s, "u:t\n"s, "u\0:t"s,
                             "u:t\x7f"s, "\x1bu:t"s, "u:\tt"s})
        BOOST_TEST(refused("cpanel " + pair), pair);
}

BOOST_AUTO_TEST_CASE(name_and_token_have_limits) {
    const std::string name(longest_user_name, 'u');
    const std::string token(longest_password, 'T');
    check("cpanel " + name + ":" + token, name, token);
    BOOST_TEST(refused("cpanel " + name + "u:T"));
    BOOST_TEST(refused("cpanel u:" + token + "T"));
    BOOST_TEST(refused("cpanel " + std::string(1'000'000, 'A')));
}
