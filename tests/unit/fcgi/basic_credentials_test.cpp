#include "fcgi/basic_credentials.h"

#include <boost/test/unit_test.hpp>

#include "auth/authd/messages.h"

using namespace clamscanner;
using namespace std::string_literals;

namespace {

std::string base64(std::string_view bytes) {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        unsigned bits = 0;
        for (std::size_t j = 0; j < 3; ++j)
            bits = bits << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
        for (std::size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
    return text;
}

bool refused(const std::string& header) {
    return !basic_credentials_of(header).has_value();
}

void check(const std::string& header, const std::string& user, const std::string& password) {
    BOOST_TEST_CONTEXT(header) {
        const auto credentials = basic_credentials_of(header);
        BOOST_REQUIRE(credentials.has_value());
        BOOST_TEST(credentials->user == user);
        BOOST_TEST(credentials->password.reveal() == password);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(credentials_are_read) {
    check("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
    check("basic   " + base64("u:p"), "u", "p");
    check("BASIC " + base64("u:p:q:"), "u", "p:q:");
    check("Basic " + base64("u:\xc3\xa4\xff"), "u", "\xc3\xa4\xff");
    for (std::size_t length = 1; length <= 64; ++length)
        check("Basic " + base64("u:" + std::string(length, '~')), "u", std::string(length, '~'));
}

BOOST_AUTO_TEST_CASE(another_scheme_is_refused) {
    for (const char* header :
         {"", "Basic", "Basic ", "Basi dTpw", "BasicdTpw", "Basic\tdTpw", " Basic dTpw", "Bearer dTpw", "dTpw"})
        BOOST_TEST(refused(header), header);
}

BOOST_AUTO_TEST_CASE(base64_has_one_spelling) {
    BOOST_TEST(!refused("Basic dTpwcA=="));
    for (const char* token :
         {"dTpwcA", "dTpwcA=", "dTpwcA===", "dTpwcB==", "dTpwcHA", "dTpwcHB=", "dTpw====", "dTpw ", "dTp w",
          "dT=pwcA=", "=dTp", "====", "dTpw\ndTpw", "dTpw-_==", "dTpw, dTpw", "dTpwcA==dTpw"})
        BOOST_TEST(refused("Basic "s + token), token);
}

BOOST_AUTO_TEST_CASE(control_characters_are_refused) {
    for (const auto& pair : {"u\0:p"s, "u:p\0"s, "u:p\n"s, "u\r:p"s, "u:\x7f"s, "\x1b:p"s})
        BOOST_TEST(refused("Basic " + base64(pair)));
}

BOOST_AUTO_TEST_CASE(name_and_password_must_both_be_there) {
    for (const char* pair : {":", "u:", ":p", "up"}) BOOST_TEST(refused("Basic " + base64(pair)), pair);
}

BOOST_AUTO_TEST_CASE(name_and_password_have_limits) {
    const std::string name(longest_user_name, 'u');
    const std::string password(longest_password, 'p');
    check("Basic " + base64(name + ":" + password), name, password);
    BOOST_TEST(refused("Basic " + base64(name + "u:p")));
    BOOST_TEST(refused("Basic " + base64("u:" + password + "p")));
    BOOST_TEST(refused("Basic " + std::string(1'000'000, 'A')));
}
