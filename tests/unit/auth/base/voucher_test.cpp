#include "auth/base/voucher.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

BOOST_AUTO_TEST_SUITE(a_voucher)

BOOST_AUTO_TEST_CASE(is_good_for_its_account_alone_and_says_who_stands_behind_it) {
    const auto key = new_voucher_key();
    const auto good = seal(key, 1001, VouchedBy::Token, "panel");
    BOOST_TEST(is_sealed(key, 1001, good));
    BOOST_TEST(!is_sealed(key, 1002, good));
    BOOST_TEST(!is_sealed(new_voucher_key(), 1001, good));
    auto other = good;
    other.by = VouchedBy::Password;
    BOOST_TEST(!is_sealed(key, 1001, other));
    other = good;
    other.token = "another";
    BOOST_TEST(!is_sealed(key, 1001, other));
    other = good;
    other.seal.pop_back();
    BOOST_TEST(!is_sealed(key, 1001, other));
    BOOST_TEST(!is_sealed(key, 1001, {}));
}

BOOST_AUTO_TEST_CASE(does_not_last) {
    const auto key = new_voucher_key();
    auto late = seal(key, 1001, VouchedBy::Root);
    late.made_ms -= 121'000;
    BOOST_TEST(!is_sealed(key, 1001, late));
    late.made_ms += 300'000;
    BOOST_TEST(!is_sealed(key, 1001, late));
}

BOOST_AUTO_TEST_CASE(is_good_only_by_a_whole_key) {
    const TemporaryDirectory place;
    const auto file = place.path + "/key";
    BOOST_TEST(read_voucher_key(file).empty());
    const auto key = new_voucher_key();
    std::ofstream(file) << key.reveal();
    const auto good = seal(key, 1001, VouchedBy::Root);
    BOOST_TEST(is_sealed(read_voucher_key(file), 1001, good));
    std::ofstream(file) << "";
    const Secret none = read_voucher_key(file);
    BOOST_TEST(!is_sealed(none, 1001, seal(none, 1001, VouchedBy::Root)));
}

BOOST_AUTO_TEST_SUITE_END()
