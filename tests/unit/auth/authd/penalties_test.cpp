#include "auth/authd/penalties.h"

#include <boost/test/unit_test.hpp>

#include "auth/authd/recent_successes.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Config config;  // 10 for a pair, 300 for an origin, 50 for an account, in 60 s; 30 s
    Penalties penalties{config};
    Deadline now = Clock::now();
    Fingerprint password = 0;  // the last one that was wrong

    void fail(const std::string& user, const std::string& origin, int times = 1) {
        for (int i = 0; i < times; ++i) {
            penalties.begin(user, origin);
            penalties.end(user, origin, true, now, ++password);
        }
    }
    std::uint32_t stranger(const std::string& user, const std::string& origin) {
        return penalties.on_account(user, origin, false, now);
    }
    std::uint32_t owner(const std::string& user, const std::string& origin) {
        return penalties.on_account(user, origin, true, now);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(penalties_are, Fixture)

BOOST_AUTO_TEST_CASE(brought_on_by_ten_failures_of_one_pair_and_end_by_themselves) {
    fail("bob", "a", 9);
    BOOST_TEST(stranger("bob", "a") == 0U);
    fail("bob", "a");
    BOOST_TEST(stranger("bob", "a") == 30U);
    BOOST_TEST(owner("bob", "a") == 30U);
    now += 29500ms;
    BOOST_TEST(stranger("bob", "a") == 1U);
    now += 500ms;
    BOOST_TEST(stranger("bob", "a") == 0U);
}

BOOST_AUTO_TEST_CASE(for_one_pair_only) {
    fail("bob", "a", 10);
    BOOST_TEST(stranger("bob", "b") == 0U);
    BOOST_TEST(stranger("alice", "a") == 0U);
}

BOOST_AUTO_TEST_CASE(brought_on_by_failures_in_any_sixty_seconds) {
    for (int i = 0; i < 40; ++i) {
        fail("slow", "a");
        now += 7s;
        BOOST_REQUIRE(stranger("slow", "a") == 0U);
    }
    for (int i = 0; i < 10; ++i) {
        fail("fast", "a");
        now += 5s;
    }
    BOOST_TEST(stranger("fast", "a") > 0U);
}

BOOST_AUTO_TEST_CASE(not_undone_by_a_success) {
    fail("bob", "a", 9);
    penalties.begin("bob", "a");
    penalties.end("bob", "a", false, now);
    fail("bob", "a");
    BOOST_TEST(stranger("bob", "a") > 0U);
}

BOOST_AUTO_TEST_CASE(counted_in_advance_for_running_checks) {
    for (int i = 0; i < 10; ++i) penalties.begin("bob", "a");
    BOOST_TEST(stranger("bob", "a") == 1U);
    for (int i = 0; i < 10; ++i) penalties.end("bob", "a", false, now);
    BOOST_TEST(stranger("bob", "a") == 0U);
}

BOOST_AUTO_TEST_CASE(put_on_an_origin_after_three_hundred_failures_with_any_names) {
    for (int i = 0; i < 299; ++i) fail("name" + std::to_string(i), "a");
    BOOST_TEST(penalties.on_origin("a", now) == 0U);
    fail("no such name", "a");
    BOOST_TEST(penalties.on_origin("a", now) == 30U);
    BOOST_TEST(penalties.on_origin("b", now) == 0U);
}

BOOST_AUTO_TEST_CASE(put_on_an_account_everywhere_but_where_it_succeeded_recently) {
    for (int i = 0; i < 50; ++i) fail("bob", "origin" + std::to_string(i));
    BOOST_TEST(stranger("bob", "another") == 30U);
    BOOST_TEST(owner("bob", "home") == 0U);
    BOOST_TEST(stranger("alice", "another") == 0U);
}

BOOST_AUTO_TEST_CASE(for_different_passwords_only) {
    for (int i = 0; i < 1000; ++i) penalties.end("bob", "a", true, now, 1007);
    BOOST_TEST(stranger("bob", "a") == 0U);
    fail("bob", "a", 8);
    BOOST_TEST(stranger("bob", "a") == 0U);
    fail("bob", "a");
    BOOST_TEST(stranger("bob", "a") == 30U);
}

BOOST_AUTO_TEST_CASE(no_reason_to_forget_what_was_wrong_a_moment_ago) {
    penalties.end("bob", "a", true, now, 7);
    now += 9s;
    BOOST_TEST(penalties.failed_within(10s, "bob", "a", 7, now));
    BOOST_TEST(!penalties.failed_within(10s, "bob", "a", 8, now));
    BOOST_TEST(!penalties.failed_within(10s, "bob", "b", 7, now));
    BOOST_TEST(!penalties.failed_within(10s, "alice", "a", 7, now));
    now += 1s;
    BOOST_TEST(!penalties.failed_within(10s, "bob", "a", 7, now));
}

BOOST_AUTO_TEST_CASE(put_on_the_memory_after_sixty_misses_in_an_hour) {
    for (Fingerprint i = 0; i < 59; ++i) {
        penalties.miss("bob", "a", i, now);
        now += 1min;
    }
    for (int i = 0; i < 100; ++i) penalties.miss("bob", "a", 58, now);
    BOOST_TEST(penalties.may_compare("bob", "a", now));
    penalties.miss("bob", "a", 59, now);
    BOOST_TEST(!penalties.may_compare("bob", "a", now));
    BOOST_TEST(penalties.may_compare("bob", "b", now));
    BOOST_TEST(penalties.may_compare("alice", "a", now));
    now += 1h;
    BOOST_TEST(penalties.may_compare("bob", "a", now));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_table_forgets_rows_that_say_nothing_any_more) {
    FailureTable table({2, 60s, 30s});
    auto now = Clock::now();
    for (int i = 0; i < 100'000; ++i) table.end(std::to_string(i), true, now += 10ms);
    BOOST_TEST(table.rows() < 15'000U);  // 6,000 of a minute count
    table.begin("under way");
    table.end("penalised", true, now);
    BOOST_TEST(table.end("penalised", true, now));
    for (int i = 0; i < 20'000; ++i) table.end("more" + std::to_string(i), true, now += 1ms);
    BOOST_TEST(table.penalty("penalised", now) == 10U);
    BOOST_TEST(!table.end("under way", false, now));
}

BOOST_AUTO_TEST_CASE(a_full_table_evicts_the_least_recently_used_row) {
    FailureTable table({1, 60s, 30s}, 3);
    const auto now = Clock::now();
    for (const auto* key : {"one", "two", "three"}) BOOST_TEST(table.end(key, true, now));
    table.begin("one");
    BOOST_TEST(table.end("four", true, now));
    BOOST_TEST(table.penalty("one", now) == 30U);
    BOOST_TEST(table.penalty("two", now) == 0U);
    BOOST_TEST(table.penalty("four", now) == 30U);
}

BOOST_AUTO_TEST_CASE(an_origin_is_an_ipv4_address_or_an_ipv6_network) {
    BOOST_TEST(origin_of("192.0.2.7") == "192.0.2.7");
    BOOST_TEST(origin_of("::ffff:192.0.2.7") == "192.0.2.7");
    BOOST_TEST(origin_of("2001:db8:1:2::1") == origin_of("2001:0db8:1:2:ffff::9"));
    BOOST_TEST(origin_of("2001:db8:1:2::1") != origin_of("2001:db8:1:3::1"));
    for (const auto* other : {"", "unix:", "192.0.2.7:80", "192.0.2.07x", "2001:db8::1%eth0"})
        BOOST_TEST(origin_of(other) == "unknown");
    BOOST_TEST(origin_of(std::string("192.0.2.7\0", 10)) == "unknown");
}

BOOST_AUTO_TEST_CASE(a_success_is_recent_for_a_day) {
    RecentSuccesses recent;
    const auto now = Clock::now();
    recent.note("bob", "home", now);
    BOOST_TEST(recent.includes("bob", "home", now + 23h));
    BOOST_TEST(!recent.includes("bob", "home", now + 24h));
    BOOST_TEST(!recent.includes("bob", "elsewhere", now));
    BOOST_TEST(!recent.includes("alice", "home", now));
}

BOOST_AUTO_TEST_CASE(an_account_is_open_at_one_origin_for_a_minute_by_the_same_rules) {
    RecentSuccesses recent;
    const auto now = Clock::now();
    recent.note("bob", "home", now);
    BOOST_TEST(!recent.was_open_within(60s, "bob", "home", now, 0));
    recent.note_open("bob", "home", now, "", 7);
    recent.note("bob", "home", now + 30s);
    BOOST_TEST(recent.was_open_within(60s, "bob", "home", now + 59s, 7));
    BOOST_TEST(!recent.was_open_within(60s, "bob", "home", now + 60s, 7));
    BOOST_TEST(!recent.was_open_within(60s, "bob", "home", now, 8));
    BOOST_TEST(!recent.was_open_within(60s, "bob", "elsewhere", now, 7));
    BOOST_TEST(!recent.was_open_within(60s, "alice", "home", now, 7));
}

BOOST_AUTO_TEST_CASE(a_success_of_an_earlier_owner_of_the_name_does_not_count) {
    RecentSuccesses recent;
    const auto now = Clock::now();
    recent.note("bob", "of the old owner", now, "first");
    recent.note("bob", "of the new owner", now, "second");
    BOOST_TEST(!recent.includes("bob", "of the old owner", now));
    BOOST_TEST(recent.includes("bob", "of the new owner", now));
}

BOOST_AUTO_TEST_CASE(an_account_with_many_origins_evicts_only_its_own) {
    RecentSuccesses recent;
    auto now = Clock::now();
    recent.note("bob", "home", now);
    for (int i = 0; i < 1000; ++i) recent.note("eve", std::to_string(i), now += 1s);
    BOOST_TEST(recent.includes("bob", "home", now));
    BOOST_TEST(!recent.includes("eve", "0", now));
    BOOST_TEST(recent.includes("eve", "999", now));
}
