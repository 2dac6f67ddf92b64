#include "jobs/shared/byte_sum.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(a_sum_stops_at_the_largest_size_of_a_file) {
    BOOST_TEST(sum_of_bytes(1, 2) == 3U);
    BOOST_TEST(sum_of_bytes(most_bytes, 0) == most_bytes);
    BOOST_TEST(sum_of_bytes(0, most_bytes) == most_bytes);
    BOOST_TEST(sum_of_bytes(most_bytes - 1, 1) == most_bytes);
    BOOST_TEST(sum_of_bytes(most_bytes, most_bytes) == most_bytes);
    BOOST_TEST(sum_of_bytes(UINT64_MAX, UINT64_MAX) == most_bytes);
    BOOST_TEST(sum_of_bytes(1, UINT64_MAX) == most_bytes);
}

BOOST_AUTO_TEST_CASE(so_does_a_product) {
    BOOST_TEST(times_bytes(3, 5) == 15U);
    BOOST_TEST(times_bytes(0, most_bytes) == 0U);
    BOOST_TEST(times_bytes(5, 0) == 0U);
    BOOST_TEST(times_bytes(1, most_bytes) == most_bytes);
    BOOST_TEST(times_bytes(2, most_bytes) == most_bytes);
    BOOST_TEST(times_bytes(4, 1ULL << 62) == most_bytes);
}
