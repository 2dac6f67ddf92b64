// Tests how far a scan counts as done when its verdicts come in any order.
#include "jobs/engine/settled_prefix.h"

#include <boost/test/unit_test.hpp>

namespace clamscanner {
namespace {

constexpr SettledPrefix::Verdict clean{.clean = true, .known = false, .bytes = 10};
constexpr SettledPrefix::Verdict known{.clean = true, .known = true, .bytes = 1};
constexpr SettledPrefix::Verdict infected{.clean = false, .known = false, .bytes = 100};

BOOST_AUTO_TEST_SUITE(settled_prefix)

BOOST_AUTO_TEST_CASE(what_comes_before_the_first_without_a_verdict_is_settled) {
    SettledPrefix prefix;
    prefix.settle(1, infected);
    prefix.settle(3, clean);
    BOOST_TEST(prefix.settled().files == 0U);
    prefix.settle(0, known);
    BOOST_TEST(prefix.settled().files == 2U);
    BOOST_TEST(prefix.settled().bytes == 101U);
    BOOST_TEST(prefix.settled().clean_files == 1U);
    BOOST_TEST(prefix.settled().known_files == 1U);
    prefix.settle(2, clean);
    BOOST_TEST(prefix.settled().files == 4U);
    BOOST_TEST(prefix.settled().bytes == 121U);
}

// A single one far ahead keeps nobody from anything.
BOOST_AUTO_TEST_CASE(verdicts_out_of_order_are_counted_and_not_the_gaps_between_them) {
    SettledPrefix prefix;
    prefix.settle(5000, clean);
    BOOST_TEST(prefix.out_of_order() == 1U);
    prefix.settle(1, clean);
    BOOST_TEST(prefix.out_of_order() == 2U);
    prefix.settle(0, clean);
    BOOST_TEST(prefix.out_of_order() == 1U);
    BOOST_TEST(prefix.settled().files == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
