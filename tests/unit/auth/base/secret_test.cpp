#include "auth/base/secret.h"

#include <boost/test/unit_test.hpp>
#include <new>

using clamscanner::Secret;

BOOST_AUTO_TEST_CASE(a_moved_secret_leaves_nothing_behind) {
    for (const std::string text : {"short", "one that is too long to be kept inside the object itself"}) {
        Secret from(text);
        const Secret to(std::move(from));
        BOOST_TEST(to.reveal() == text);
        BOOST_TEST(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    }
}

BOOST_AUTO_TEST_CASE(an_assigned_secret_replaces_the_old_one) {
    Secret secret("first");
    secret = Secret("second");
    BOOST_TEST(secret.reveal() == "second");
    secret.assign("");
    BOOST_TEST(secret.empty());
}

BOOST_AUTO_TEST_CASE(a_destroyed_secret_is_wiped_where_it_stood) {
    alignas(Secret) unsigned char place[sizeof(Secret)];
    auto* secret = new (place) Secret("in-place!");
    const std::string before(reinterpret_cast<char*>(place), sizeof place);
    BOOST_REQUIRE(before.find("in-place!") != std::string::npos);
    secret->~Secret();
    const std::string after(reinterpret_cast<char*>(place), sizeof place);
    BOOST_TEST(after.find("in-place!") == std::string::npos);
}
