#include "jobs/jobd/recent_use.h"

#include <boost/test/unit_test.hpp>

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

const Deadline now = Clock::now();

BOOST_AUTO_TEST_SUITE(recent_use)

BOOST_AUTO_TEST_CASE(who_used_less_comes_first) {
    RecentUse book;
    book.add(1, 300s, now);
    book.add(2, 20s, now);
    BOOST_TEST((book.rank(2, now) < book.rank(1, now)));
    BOOST_TEST((book.rank(3, now) < book.rank(2, now)));
}

BOOST_AUTO_TEST_CASE(at_equal_use_the_longer_ago_start_comes_first) {
    RecentUse book;
    book.start(1);
    book.start(2);
    book.add(1, 3s, now);
    book.add(2, 1s, now);
    BOOST_TEST((book.rank(1, now) < book.rank(2, now)));
    book.start(1);
    BOOST_TEST((book.rank(2, now) < book.rank(1, now)));
}

BOOST_AUTO_TEST_CASE(use_decays_with_time) {
    RecentUse book;
    book.add(1, 800s, now);
    book.add(2, 300s, now);
    BOOST_TEST(book.rank(1, now).first == 80);
    BOOST_TEST(book.rank(1, now + 1h).first == 40);
    BOOST_TEST((book.rank(1, now + 2h) < book.rank(2, now)));
}

BOOST_AUTO_TEST_CASE(negligible_use_is_forgotten) {
    RecentUse book;
    for (int customer = 0; customer < 10'002; ++customer) book.add(customer, 500ms, now);
    book.add(-1, 60s, now);
    BOOST_TEST(book.rank(-1, now).first == 6);
    BOOST_TEST((book.rank(5, now) == RecentUse::Rank{0, 0}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
