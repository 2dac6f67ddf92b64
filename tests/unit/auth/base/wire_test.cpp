#include "auth/base/wire.h"

#include <boost/test/unit_test.hpp>

#include "auth/authd/messages.h"
#include "auth/authd/pam_login.h"
#include "handlers/shared/messages.h"
#include "jobs/jobd/messages.h"

using namespace clamscanner;

namespace {

Login some_login() {
    return {"bob", Secret("p4ss"), "192.0.2.7", Purpose::Statistics};
}

struct Numbers {
    static constexpr auto type = MessageType::Served;
    bool truth = false;
    std::int32_t number = 0;
    void fields(auto& wire) {
        wire.number(truth);
        wire.number(number);
    }
};

template <class Message>
std::string bytes_of(const Message& message) {
    return std::string(encode(message).bytes());
}

}  // namespace

// The encoding, byte for byte: two builds must agree on it, or have different versions.
BOOST_AUTO_TEST_CASE(a_login_looks_like_this_on_the_wire) {
    const std::string expected(
        "\x0d\x01\x00"
        "\x03\x00\x00\x00"
        "bob"
        "\x04\x00\x00\x00"
        "p4ss"
        "\x09\x00\x00\x00"
        "192.0.2.7"
        "\x01",
        3 + 7 + 8 + 13 + 1);
    BOOST_TEST(bytes_of(some_login()) == expected);
}

BOOST_AUTO_TEST_CASE(numbers_are_little_endian_on_the_wire) {
    BOOST_TEST(bytes_of(Numbers{true, -2}) == std::string("\x0d\x04\x00\x01\xfe\xff\xff\xff", 8));
}

BOOST_AUTO_TEST_CASE(a_message_is_decoded_as_it_was_encoded) {
    const auto login = decode<Login>(bytes_of(some_login()));
    BOOST_TEST(login.user == "bob");
    BOOST_TEST(login.password.reveal() == "p4ss");
    BOOST_TEST(login.address == "192.0.2.7");
    BOOST_TEST((login.purpose == Purpose::Statistics));
    BOOST_TEST(decode<Numbers>(bytes_of(Numbers{false, INT32_MIN})).number == INT32_MIN);
}

BOOST_AUTO_TEST_CASE(a_message_cut_anywhere_is_malformed) {
    const auto whole = bytes_of(some_login());
    for (std::size_t size = 0; size < whole.size(); ++size)
        BOOST_CHECK_THROW((void)decode<Login>(whole.substr(0, size)), Malformed);
}

BOOST_AUTO_TEST_CASE(left_over_bytes_are_malformed) {
    BOOST_CHECK_THROW((void)decode<Login>(bytes_of(some_login()) + '\0'), Malformed);
}

BOOST_AUTO_TEST_CASE(another_version_and_another_type_are_malformed) {
    auto bytes = bytes_of(Served{1});
    BOOST_CHECK_THROW((void)decode<LoginAnswer>(bytes), Malformed);
    bytes[0] = static_cast<char>(wire_version + 1);
    BOOST_CHECK_THROW((void)decode<Served>(bytes), Malformed);
}

BOOST_AUTO_TEST_CASE(an_enum_value_beyond_the_last_is_malformed) {
    auto bytes = bytes_of(Serve{Purpose::Statistics, "Action", "1"});
    bytes[3] = 2;
    BOOST_CHECK_THROW((void)decode<Serve>(bytes), Malformed);
}

BOOST_AUTO_TEST_CASE(a_boolean_is_zero_or_one) {
    auto bytes = bytes_of(Numbers{true, 0});
    bytes[3] = 2;
    BOOST_CHECK_THROW((void)decode<Numbers>(bytes), Malformed);
}

BOOST_AUTO_TEST_CASE(a_text_over_its_limit_is_neither_written_nor_read) {
    Login login = some_login();
    login.user = std::string(longest_user_name + 1, 'a');
    BOOST_CHECK_THROW((void)encode(login), Malformed);
    login.user.pop_back();
    auto bytes = bytes_of(login);
    BOOST_CHECK_NO_THROW((void)decode<Login>(bytes));
    bytes[3] = 1;  // 257, one more than allowed
    bytes.insert(7, "a");
    BOOST_CHECK_THROW((void)decode<Login>(bytes), Malformed);
}

BOOST_AUTO_TEST_CASE(a_list_longer_than_its_bytes_is_refused_before_memory_is_taken_for_it) {
    Disinfect disinfect;
    auto bytes = bytes_of(disinfect);
    bytes[3] = bytes[4] = '\x7f';  // 32,639 actions, and not a byte of them
    BOOST_CHECK_THROW((void)decode<Disinfect>(bytes), Malformed);
}

BOOST_AUTO_TEST_CASE(a_list_comes_back_in_order) {
    Disinfect disinfect;
    disinfect.actions = {{"/home/b/eicar", Action::Delete}, {"x\0y", Action::Quarantine}};
    const auto read = decode<Disinfect>(bytes_of(disinfect));
    BOOST_REQUIRE(read.actions.size() == 2U);
    BOOST_TEST(read.actions[0].path == "/home/b/eicar");
    BOOST_TEST((read.actions[1].action == Action::Quarantine));
}
