#include "jobs/jobd/schedule_book.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <ctime>

#include "jobs/jobd/ledger.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

constexpr std::int64_t minute_ms = 60'000;

constexpr std::int64_t noon_ms = 1'767'614'400'000;  // 2026-01-05 12:00 UTC, a Monday: 13:00 in Berlin

struct Book {
    Book() {
        ::setenv("TZ", "Europe/Berlin", 1);
        ::tzset();
        // Of the name alone, so tests may go by it.
        BOOST_REQUIRE(spread_of("alice") < seconds_of_spread);
    }
    ~Book() { ::setenv("TZ", "UTC", 1); }

    AccountFacts facts(const std::string& name) {
        return {static_cast<uid_t>(1000 + name.size()), name, "/home/" + name, 1, name.size(), 1};
    }
    AccountId account(const std::string& name) { return ledger.tasks().account_of(facts(name)); }
    std::size_t due() {
        book.keep_up();
        return book.due(100).size();
    }
    // As the running time of the ledger cannot be set, the clock alone moves, as if somebody set it.
    void go_to(std::int64_t ms) { clock = ms; }

    TemporaryDirectory place;
    Settings settings;
    Ledger ledger{place.path + "/jobs.sqlite"};
    std::int64_t clock = noon_ms;
    ScheduleBook book{ledger, settings, [this] { return clock; }};
    const Schedule daily{true, ScanType::Home, ScheduleDay::Every, 3};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(schedule_book, Book)

BOOST_AUTO_TEST_CASE(without_a_schedule_nothing_is_due) {
    BOOST_TEST(!book.status(account("alice")).schedule.on);
    BOOST_TEST(book.status(account("alice")).next_time == 0);
    BOOST_TEST(due() == 0U);
}

BOOST_AUTO_TEST_CASE(it_tells_the_next_time_and_is_due_then_and_once) {
    book.set(facts("alice"), daily);
    const auto status = book.status(account("alice"));
    BOOST_TEST((status.schedule == daily));
    BOOST_TEST(status.next_local.starts_with("2026-01-06 03:"));
    BOOST_TEST(status.next_local.ends_with(" CET"));
    go_to(status.next_time * 1000 - 1000);
    BOOST_TEST(due() == 0U);
    go_to(status.next_time * 1000);
    BOOST_TEST(due() == 1U);
    book.mark_done(book.due(1).front());
    BOOST_TEST(due() == 0U);
    BOOST_TEST(book.status(account("alice")).next_local.starts_with("2026-01-07 03:"));
}

BOOST_AUTO_TEST_CASE(what_was_missed_while_jobd_was_down_is_made_up_for_once) {
    book.set(facts("alice"), daily);
    ledger.commit();
    go_to(noon_ms + 10 * day_ms);
    // A new jobd.
    ScheduleBook later(ledger, settings, [this] { return clock; });
    later.keep_up();
    const auto found = later.due(100);
    BOOST_REQUIRE(found.size() == 1U);
    later.mark_done(found.front());
    later.keep_up();
    BOOST_TEST(later.due(100).empty());
    BOOST_TEST(later.status(account("alice")).next_local.starts_with("2026-01-16 03:"));
}

BOOST_AUTO_TEST_CASE(one_that_waits_for_its_account_is_tried_again_and_stays_due) {
    book.set(facts("alice"), daily);
    go_to(noon_ms + day_ms);
    BOOST_TEST(due() == 1U);
    book.postpone(account("alice"), minute_ms);
    BOOST_TEST(due() == 0U);
    go_to(noon_ms + day_ms + minute_ms);
    BOOST_TEST(due() == 1U);
}

// The clock that was ahead is set right again before the scan could begin.
BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_is_noticed) {
    book.set(facts("alice"), daily);
    const auto next = book.status(account("alice")).next_time;
    go_to(noon_ms + 400 * day_ms);
    BOOST_TEST(due() == 1U);
    book.mark_done(book.due(1).front());
    go_to(noon_ms);
    BOOST_TEST(due() == 0U);
    // Within two periods, whatever the clock was.
    BOOST_TEST(book.status(account("alice")).next_time > next);
    BOOST_TEST(book.status(account("alice")).next_time <= next + 2 * day_ms / 1000);
}

BOOST_AUTO_TEST_CASE(many_are_reviewed_some_at_a_time_and_all_of_them) {
    for (int i = 0; i < 100; ++i) book.set(facts("user" + std::string(static_cast<std::size_t>(i), 'x')), daily);
    BOOST_TEST(due() == 0U);
    settings.schedules.first_hour = 14;
    settings.schedules.last_hour = 14;
    book.begin_review();
    for (int i = 0; i < 10; ++i) book.keep_up();
    for (int i = 0; i < 100; ++i) {
        const auto status = book.status(account("user" + std::string(static_cast<std::size_t>(i), 'x')));
        BOOST_TEST(status.next_local.substr(11, 2) == "14");
    }
}

BOOST_AUTO_TEST_CASE(outside_the_hours_that_the_administrator_allows_none_begins) {
    book.set(facts("alice"), daily);
    go_to(noon_ms + day_ms);
    BOOST_TEST(due() == 1U);
    settings.schedules.first_hour = 22;
    settings.schedules.last_hour = 5;
    BOOST_TEST(due() == 0U);
    go_to(noon_ms + day_ms + 10 * hour_ms);  // 23:00
    BOOST_TEST(due() == 1U);
    settings.schedules.allowed = false;
    BOOST_TEST(due() == 0U);
    BOOST_TEST(!book.status(account("alice")).allowed);
    BOOST_TEST(book.status(account("alice")).next_time == 0);
}

BOOST_AUTO_TEST_CASE(the_same_again_changes_nothing_and_never_ends_it) {
    book.set(facts("alice"), daily);
    go_to(noon_ms + day_ms);
    book.set(facts("alice"), daily);
    BOOST_TEST(due() == 1U);
    book.set(facts("alice"), {});
    BOOST_TEST(due() == 0U);
    BOOST_TEST(!book.status(account("alice")).schedule.on);
}

BOOST_AUTO_TEST_CASE(making_it_stronger_leaves_what_is_due) {
    book.set(facts("alice"), {true, ScanType::Mail, ScheduleDay::Tuesday, 3});
    go_to(noon_ms + day_ms);
    BOOST_TEST(due() == 1U);
    book.set(facts("alice"), daily);
    BOOST_TEST(due() == 1U);
}

BOOST_AUTO_TEST_CASE(fewer_scans_another_hour_or_a_smaller_directory_weaken_it) {
    const Schedule off;
    const Schedule weekly{true, ScanType::Home, ScheduleDay::Monday, 3};
    BOOST_TEST(!weakens(off, weekly));
    BOOST_TEST(!weakens(off, off));
    BOOST_TEST(!weakens(weekly, daily));
    BOOST_TEST(!weakens(daily, daily));
    BOOST_TEST(!weakens({true, ScanType::Mail, ScheduleDay::Every, 3}, daily));
    BOOST_TEST(weakens(daily, off));
    BOOST_TEST(weakens(daily, weekly));
    BOOST_TEST(weakens(weekly, {true, ScanType::Home, ScheduleDay::Tuesday, 3}));
    BOOST_TEST(weakens(daily, {true, ScanType::Home, ScheduleDay::Every, 4}));
    BOOST_TEST(weakens(daily, {true, ScanType::Mail, ScheduleDay::Every, 3}));
    BOOST_TEST(
        weakens({true, ScanType::Mail, ScheduleDay::Every, 3}, {true, ScanType::PublicHtml, ScheduleDay::Every, 3}));
}

BOOST_AUTO_TEST_CASE(the_longest_due_come_first_and_no_more_than_asked_for) {
    for (const char* name : {"a", "bb", "ccc", "dddd"}) book.set(facts(name), daily);
    go_to(noon_ms + day_ms);
    const auto some = book.due(3);
    BOOST_REQUIRE(some.size() == 3U);
    BOOST_TEST(some[0].due_ms <= some[1].due_ms);
    BOOST_TEST(some[1].due_ms <= some[2].due_ms);
}

BOOST_AUTO_TEST_SUITE_END()
