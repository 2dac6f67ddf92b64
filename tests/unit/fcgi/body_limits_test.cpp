#include "fcgi/body_limits.h"

#include <boost/test/unit_test.hpp>
#include <future>
#include <vector>

using namespace clamscanner;

namespace {

constexpr std::chrono::milliseconds longer_than_any_test{60'000};

// As many as are permitted, at most ten.
std::vector<BodyLimit::Permit> take_all(BodyLimit& limit, BodyOwner owner) {
    std::vector<BodyLimit::Permit> permits;
    while (permits.size() < 10)
        if (auto permit = limit.take(owner))
            permits.push_back(std::move(*permit));
        else
            break;
    return permits;
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_owner_leaves_room_to_the_others) {
    BodyLimit limit(5, 2);
    const auto ones = take_all(limit, 1);
    const auto anothers = take_all(limit, 2);
    const auto strangers = take_all(limit, unknown_owner);
    BOOST_TEST(ones.size() == 2U);
    BOOST_TEST(anothers.size() == 2U);
    BOOST_TEST(strangers.size() == 1U);
    BOOST_TEST(!limit.take(3));
}

BOOST_AUTO_TEST_CASE(a_permit_that_ended_is_free_again) {
    BodyLimit limit(2, 1);
    for (int i = 0; i < 3; ++i) BOOST_TEST(take_all(limit, 1).size() == 1U);
}

BOOST_AUTO_TEST_CASE(there_is_always_room_for_one) {
    BodyLimit limit(0, 0);
    BOOST_TEST(take_all(limit, 1).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_body_waits_for_others_of_its_owner_that_are_nearly_there) {
    BodyLimit limit(5, 1);
    auto first = std::make_optional(limit.take(1));
    auto second = std::async(std::launch::async, [&] { return limit.take(1, longer_than_any_test).has_value(); });
    first.reset();
    BOOST_TEST(second.get());
}

BOOST_AUTO_TEST_CASE(as_many_wait_as_are_permitted) {
    BodyLimit limit(5, 1);
    auto first = std::make_optional(limit.take(1));
    std::vector<std::future<bool>> others;
    for (int i = 0; i < 3; ++i)
        others.push_back(
            std::async(std::launch::async, [&] { return limit.take(1, longer_than_any_test).has_value(); }));
    // Two of them come back at once, whichever they are.
    const auto is_back = [](const auto& other) {
        return other.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    while (std::ranges::count_if(others, is_back) < 2) std::this_thread::yield();
    first.reset();
    BOOST_TEST(std::ranges::count_if(others, [](auto& other) { return other.get(); }) == 1);
}
