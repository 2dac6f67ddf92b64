// Tests the hash by the values that its authors published, and what it is for: another key gives other hashes.
#include "jobs/engine/known/keyed_hash.h"

#include <boost/test/unit_test.hpp>
#include <string>

namespace clamscanner {
namespace {

std::string first_numbers(std::size_t count) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(i);
    return bytes;
}

BOOST_AUTO_TEST_CASE(it_is_the_hash_that_was_published) {
    const KeyedHash hash({0x0706050403020100, 0x0f0e0d0c0b0a0908});
    BOOST_TEST(hash(first_numbers(0)) == 0x726fdb47dd0e0e31U);
    BOOST_TEST(hash(first_numbers(1)) == 0x74f839c593dc67fdU);
    BOOST_TEST(hash(first_numbers(7)) == 0xab0200f58b01d137U);
    BOOST_TEST(hash(first_numbers(8)) == 0x93f5f5799a932462U);
    BOOST_TEST(hash(first_numbers(15)) == 0xa129ca6149be45e5U);
}

BOOST_AUTO_TEST_CASE(another_key_gives_another_hash) {
    BOOST_TEST(KeyedHash({1, 2})("a line") != KeyedHash({1, 3})("a line"));
    BOOST_TEST(KeyedHash({1, 2})("a line") != KeyedHash({2, 2})("a line"));
}

}  // namespace
}  // namespace clamscanner
