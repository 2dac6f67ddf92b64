#include "auth/authd/uninherited_secret.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

bool is_blank(std::string_view bytes) {
    return std::ranges::all_of(bytes, [](char byte) { return byte == 0; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(an_uninherited_secret)

BOOST_AUTO_TEST_CASE(is_zeros_in_a_child_whatever_made_it) {
    const UninheritedSecret waits("the password of another");
    auto moved = UninheritedSecret::random(32);
    const auto key = std::move(moved);
    const Secret handed("the child's own");
    BOOST_TEST(waits.reveal() == "the password of another");
    BOOST_TEST(!is_blank(key.reveal()));
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(is_blank(waits.reveal()) && is_blank(key.reveal()) && handed.reveal() == "the child's own" ? 0 : 1);
    int status = -1;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
    BOOST_TEST(waits.reveal() == "the password of another");
}

BOOST_AUTO_TEST_CASE(may_be_empty_moved_and_replaced) {
    UninheritedSecret secret;
    BOOST_TEST(secret.reveal().empty());
    secret = UninheritedSecret("first");
    secret = UninheritedSecret("second");
    BOOST_TEST(secret.reveal() == "second");
    secret = {};
    BOOST_TEST(secret.reveal().empty());
    BOOST_TEST(UninheritedSecret("").reveal().empty());
    const auto long_one = std::string(10'000, 'x');
    BOOST_TEST(UninheritedSecret(long_one).reveal() == long_one);
}

BOOST_AUTO_TEST_CASE(that_is_random_is_not_another_one) {
    BOOST_TEST(UninheritedSecret::random(32).reveal().size() == 32U);
    BOOST_TEST(UninheritedSecret::random(32).reveal() != UninheritedSecret::random(32).reveal());
}

BOOST_AUTO_TEST_SUITE_END()
