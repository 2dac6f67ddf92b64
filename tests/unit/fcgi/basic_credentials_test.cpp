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
    check("Basic " + base64("u:\xc3\xa4"), "u", "\xc3\xa4");
    for (std::size_t length = 1; length <= 64; ++length)
        check("Basic " + base64("u:" + std::string(length, '~')), "u", std::string(length, '~'));
}

// As btoa("jörg:pässwörd") in a browser, and requests in Python with a str.
BOOST_AUTO_TEST_CASE(latin_1_is_read_as_what_it_says) {
    check("Basic " + base64("u:p\xe4sswort"), "u", "p\xc3\xa4sswort");
    check("Basic " + base64("j\xf6rg:p\xe4ssw\xf6rd"), "j\xc3\xb6rg", "p\xc3\xa4ssw\xc3\xb6rd");
    check("Basic " + base64("j\xf6rg:password"), "j\xc3\xb6rg", "password");
    check("Basic " + base64("u:\xa3\xff"), "u", "\xc2\xa3\xc3\xbf");
    check("Basic " + base64("u:\x80\x9f"), "u", "\xc2\x80\xc2\x9f");
    // Half of it is UTF-8: then all of it is not.
    check("Basic " + base64("u:\xc3\xa4\xff"), "u", "\xc3\x83\xc2\xa4\xc3\xbf");
}

BOOST_AUTO_TEST_CASE(utf_8_stays_as_it_is) {
    for (const auto* text : {"p\xc3\xa4sswort", "\xe2\x82\xac", "\xf0\x9f\x94\x91", "\xc2\x80", "ascii"})
        check("Basic " + base64(text + ":"s + text), text, text);
    // A name given as UTF-8 with a password given as Latin-1, and the other way round.
    check("Basic " + base64("j\xc3\xb6rg:p\xe4ss"), "j\xc3\xb6rg", "p\xc3\xa4ss");
    check("Basic " + base64("j\xf6rg:p\xc3\xa4ss"), "j\xc3\xb6rg", "p\xc3\xa4ss");
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_utf_8_hides_nothing) {
    // Over-long spellings of NUL, a line end and a colon; a surrogate; beyond U+10FFFF.
    check("Basic " + base64("u:\xc0\x80"), "u", "\xc3\x80\xc2\x80");
    check("Basic " + base64("u:\xc0\x8a"), "u", "\xc3\x80\xc2\x8a");
    check("Basic " + base64("u\xc0\xba:p"), "u\xc3\x80\xc2\xba", "p");
    check("Basic " + base64("u:\xed\xa0\x80"), "u", "\xc3\xad\xc2\xa0\xc2\x80");
    check("Basic " + base64("u:\xf4\x90\x80\x80"), "u", "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80");
    for (const auto& pair : {"\xe4\0:p"s, "\xe4:p\0"s, "\xe4:p\n"s, "u:\xe4\x7f"s, "\x1b\xe4:p"s})
        BOOST_TEST(refused("Basic " + base64(pair)));
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
    // Latin-1 takes twice the place as UTF-8.
    check("Basic " + base64("u:" + std::string(longest_password / 2, '\xe4')), "u", [] {
        std::string text;
        while (text.size() < longest_password) text += "\xc3\xa4";
        return text;
    }());
    BOOST_TEST(refused("Basic " + base64("u:" + std::string(longest_password / 2 + 1, '\xe4'))));
    BOOST_TEST(refused("Basic " + base64(std::string(longest_user_name / 2 + 1, '\xe4') + ":p")));
    BOOST_TEST(refused("Basic " + std::string(1'000'000, 'A')));
}
