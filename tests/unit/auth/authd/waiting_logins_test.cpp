#include "auth/authd/waiting_logins.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    WaitingLogins<std::string> logins{3, 100ms};  // three places each; twelve may wait
    Deadline now = Clock::now();

    void wait(const std::string& sender, const std::string& login, bool is_next = false) {
        logins.take_place(sender);
        logins.wait(sender, login, is_next);
    }
    std::string all() {
        std::string order;
        while (logins.has_next()) order += logins.take_next() + " ";
        return order;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(waiting_logins, Fixture)

BOOST_AUTO_TEST_CASE(of_several_senders_come_by_turns) {
    for (const auto* login : {"a1", "a2", "a3", "b1", "c1", "c2"}) wait(std::string(login, 1), login);
    BOOST_TEST(all() == "a1 b1 c1 a2 c2 a3 ");
}

BOOST_AUTO_TEST_CASE(that_are_next_come_first) {
    for (const auto* login : {"a1", "b1", "b2"}) wait(std::string(login, 1), login);
    wait("b", "b0", true);
    wait("c", "c0", true);
    BOOST_TEST(all() == "c0 b0 a1 b1 b2 ");
}

BOOST_AUTO_TEST_CASE(hold_their_places_to_the_end) {
    for (int i = 0; i < 3; ++i) wait("a", "a");
    const auto done_by = logins.done_by("a", now);
    BOOST_TEST(logins.until_place("a", now) == 1U);
    BOOST_TEST(logins.until_place("b", now) == 0U);
    BOOST_TEST(all() == "a a a ");
    BOOST_TEST(logins.until_place("a", done_by) == 1U);
    logins.give_place_back("a");
    BOOST_TEST(logins.until_place("a", now) == 0U);
}

BOOST_AUTO_TEST_CASE(are_refused_to_the_sender_of_most) {
    std::optional<std::string> instead;
    for (const auto* login : {"a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3", "d1", "d2"})
        wait(std::string(login, 1), login);
    BOOST_TEST(logins.may_wait("d", instead));
    wait("d", "d3");
    BOOST_TEST(logins.until_checked() == 2U);
    BOOST_TEST(!logins.may_wait("d", instead));
    BOOST_TEST(!instead.has_value());
    BOOST_TEST(!logins.may_wait("e", instead));
    BOOST_REQUIRE(instead.has_value());
    BOOST_TEST(*instead == "a3");
    logins.take_away("a");
    BOOST_TEST(logins.may_wait("e", instead));
    BOOST_TEST(all() == "a1 b1 c1 d1 a2 b2 c2 d2 b3 c3 d3 ");
}

BOOST_AUTO_TEST_CASE(are_done_by_a_time_that_follows_from_who_sent_when) {
    logins.take_place("a");
    BOOST_TEST((logins.done_by("a", now) == now + 100ms));
    BOOST_TEST((logins.done_by("a", now + 50ms) == now + 200ms));
    logins.take_place("b");
    BOOST_TEST((logins.done_by("b", now + 50ms) == now + 250ms));
    BOOST_TEST((logins.done_by("a", now + 1s) == now + 1200ms));
}

BOOST_AUTO_TEST_SUITE_END()
