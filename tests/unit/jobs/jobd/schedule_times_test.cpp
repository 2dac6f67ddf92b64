#include "jobs/jobd/schedule_times.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <ctime>
#include <set>
#include <vector>

using namespace clamscanner;

namespace {

constexpr std::int64_t hour = 3600;
constexpr std::int64_t day = 24 * hour;

void live_in(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
}

std::int64_t utc(int year, int month, int day_of_month, int hours, int minutes = 0) {
    std::tm fields{};
    fields.tm_year = year - 1900;
    fields.tm_mon = month - 1;
    fields.tm_mday = day_of_month;
    fields.tm_hour = hours;
    fields.tm_min = minutes;
    return ::timegm(&fields);
}

// A schedule, and a host whose clock the test sets as it likes: as jobd runs them.
struct Machine {
    explicit Machine(ScheduleDay on, std::uint8_t at, std::uint32_t spread = 1800) : times(on, at, spread) {}

    void set(std::int64_t time) {
        now = time;
        done = {times.latest(now).day, running_ms};
        review();
    }
    void review() {
        if (due > now || due == 0) due = times.due(done, now, running_ms);
    }
    // Some time passes, second by second at what matters: the host looks each ten minutes.
    void run_for(std::int64_t seconds) {
        for (const auto until = now + seconds; now < until;) pass(std::min<std::int64_t>(600, until - now));
    }
    void pass(std::int64_t seconds) {
        now += seconds;
        running_ms += seconds * 1000;
        look();
    }
    void look() {
        if (due > now) return;
        scans.push_back(now);
        done = {times.latest(now).day, running_ms};
        due = times.due(done, now, running_ms);
    }
    // Off for so long, or with jobd stopped.
    void be_off_for(std::int64_t seconds) {
        now += seconds;
        review();
        look();
    }
    void set_clock(std::int64_t by) {
        now += by;
        review();
        look();
    }

    ScheduleTimes times;
    std::int64_t now = 0;
    std::int64_t running_ms = 1'000'000;
    SlotDone done;
    std::int64_t due = 0;
    std::vector<std::int64_t> scans;
};

struct Berlin {
    Berlin() { live_in("Europe/Berlin"); }
    ~Berlin() { live_in("UTC"); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(schedule_times, Berlin)

BOOST_AUTO_TEST_CASE(a_daily_one_runs_once_a_day_at_its_local_hour) {
    Machine host(ScheduleDay::Every, 3);
    host.set(utc(2026, 1, 5, 12));
    BOOST_TEST(host.due == utc(2026, 1, 6, 2, 30));  // 03:30 CET
    host.run_for(10 * day);
    BOOST_TEST(host.scans.size() == 10U);
    BOOST_TEST(host.due == utc(2026, 1, 16, 2, 30));
    BOOST_TEST(local_time(host.due) == "2026-01-16 03:30:00 CET");
}

BOOST_AUTO_TEST_CASE(a_weekly_one_runs_on_its_day) {
    Machine host(ScheduleDay::Sunday, 0, 0);
    host.set(utc(2026, 1, 5, 12));  // a Monday
    BOOST_TEST(local_time(host.due) == "2026-01-11 00:00:00 CET");
    host.run_for(21 * day);
    BOOST_TEST(host.scans.size() == 3U);
    Machine today(ScheduleDay::Monday, 14);
    today.set(utc(2026, 1, 5, 12));
    BOOST_TEST(local_time(today.due) == "2026-01-05 14:30:00 CET");
    Machine passed(ScheduleDay::Monday, 12);
    passed.set(utc(2026, 1, 5, 12));  // 13:00
    BOOST_TEST(local_time(passed.due) == "2026-01-12 12:30:00 CET");
}

BOOST_AUTO_TEST_CASE(the_hour_that_daylight_saving_leaves_out_comes_a_little_later_and_once) {
    Machine host(ScheduleDay::Every, 2);
    host.set(utc(2026, 3, 28, 12));
    BOOST_TEST(local_time(host.due) == "2026-03-29 03:30:00 CEST");
    host.run_for(3 * day);
    BOOST_TEST(host.scans.size() == 3U);
    BOOST_TEST(local_time(host.scans.at(1)) == "2026-03-30 02:30:00 CEST");
}

BOOST_AUTO_TEST_CASE(the_hour_that_daylight_saving_repeats_counts_once) {
    Machine host(ScheduleDay::Every, 2);
    host.set(utc(2026, 10, 24, 12));
    BOOST_TEST(local_time(host.due) == "2026-10-25 02:30:00 CEST");
    host.run_for(12 * hour);
    BOOST_TEST(host.scans.size() == 0U);
    host.run_for(4 * hour);
    BOOST_TEST(host.scans.size() == 1U);
    BOOST_TEST(local_time(host.due) == "2026-10-26 02:30:00 CET");
    Machine weekly(ScheduleDay::Sunday, 2);
    weekly.set(utc(2026, 10, 24, 12));
    weekly.run_for(day);
    BOOST_TEST(weekly.scans.size() == 1U);
    BOOST_TEST(local_time(weekly.due) == "2026-11-01 02:30:00 CET");
}

BOOST_AUTO_TEST_CASE(each_hour_of_each_day_of_a_year_has_one_slot) {
    for (const char* zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "UTC"}) {
        live_in(zone);
        for (std::uint8_t at = 0; at < 24; ++at) {
            Machine host(ScheduleDay::Every, at, 3599);
            host.set(utc(2026, 1, 1, 0));
            std::set<std::int64_t> days;
            for (int i = 0; i < 365; ++i) {
                host.now = host.due;
                host.running_ms += day * 1000;
                host.look();
                BOOST_REQUIRE(days.insert(host.done.day).second);
            }
            BOOST_TEST(*days.rbegin() - *days.begin() == 364, zone);
        }
    }
}

BOOST_AUTO_TEST_CASE(missed_ones_are_made_up_for_once) {
    for (const auto off : {day, 3 * day, 40 * day}) {
        Machine host(ScheduleDay::Every, 3);
        host.set(utc(2026, 1, 5, 12));
        host.be_off_for(off);
        BOOST_TEST(host.scans.size() == 1U);
        host.run_for(12 * hour);
        BOOST_TEST(host.scans.size() == 1U);
        host.run_for(12 * hour);
        BOOST_TEST(host.scans.size() == 2U);
    }
    Machine weekly(ScheduleDay::Tuesday, 3);
    weekly.set(utc(2026, 1, 5, 12));
    weekly.be_off_for(30 * day);
    BOOST_TEST(weekly.scans.size() == 1U);
    BOOST_TEST(local_time(weekly.due) == "2026-02-10 03:30:00 CET");
}

BOOST_AUTO_TEST_CASE(what_lies_before_it_was_set_is_not_made_up_for) {
    Machine host(ScheduleDay::Every, 3);
    host.set(utc(2026, 1, 5, 12));
    host.look();
    BOOST_TEST(host.scans.empty());
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_brings_no_second_scan_and_skips_none) {
    for (const auto back : {600L, hour, 5 * hour}) {
        Machine host(ScheduleDay::Every, 3);
        host.set(utc(2026, 1, 5, 12));
        host.run_for(15 * hour);
        BOOST_TEST(host.scans.size() == 1U);
        host.set_clock(-back);
        host.run_for(back + 12 * hour);  // 03:30 comes a second time for the last of them
        BOOST_TEST(host.scans.size() == 1U);
        host.run_for(12 * hour);
        BOOST_TEST(host.scans.size() == 2U);
    }
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_by_a_day_skips_none) {
    Machine host(ScheduleDay::Every, 3);
    host.set(utc(2026, 1, 5, 12));
    host.run_for(15 * hour);
    host.set_clock(-day);
    BOOST_TEST(host.scans.size() == 1U);
    host.run_for(5 * day);
    BOOST_TEST(host.scans.size() == 6U);
    for (std::size_t i = 1; i < host.scans.size(); ++i) BOOST_TEST(host.scans[i] >= host.scans[i - 1]);
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_forward_by_a_day_makes_up_for_one_and_repeats_none) {
    Machine host(ScheduleDay::Every, 3);
    host.set(utc(2026, 1, 5, 12));
    host.set_clock(day);
    BOOST_TEST(host.scans.size() == 1U);
    host.run_for(12 * hour);
    BOOST_TEST(host.scans.size() == 1U);
    // And back again: the slot of that day was had.
    host.set_clock(-day);
    const auto before = host.scans.size();
    host.run_for(4 * day);
    BOOST_TEST(host.scans.size() >= before + 3);
    BOOST_TEST(host.scans.size() <= before + 4);
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_years_ahead_for_a_moment_stops_no_schedule) {
    for (const auto which : {ScheduleDay::Every, ScheduleDay::Friday}) {
        Machine host(which, 3);
        host.set(utc(2026, 1, 5, 12));
        host.set_clock(20 * 365 * day);
        BOOST_TEST(host.scans.size() == 1U);
        host.set_clock(-20 * 365 * day);
        BOOST_TEST(host.scans.size() == 1U);
        host.run_for(28 * day);
        BOOST_TEST(host.scans.size() >= (which == ScheduleDay::Every ? 28U : 4U));
        BOOST_TEST(host.scans.size() <= (which == ScheduleDay::Every ? 29U : 5U));
    }
}

BOOST_AUTO_TEST_CASE(the_slots_of_a_thousand_accounts_are_spread_over_the_hour) {
    std::vector<int> in_minute(60);
    for (int i = 0; i < 1000; ++i) {
        const auto spread = spread_of("user" + std::to_string(i));
        BOOST_TEST(spread == spread_of("user" + std::to_string(i)));
        BOOST_REQUIRE(spread < seconds_of_spread);
        ++in_minute[spread / 60];
    }
    for (const int accounts : in_minute) {
        BOOST_TEST(accounts > 2);
        BOOST_TEST(accounts < 40);
    }
}

BOOST_AUTO_TEST_SUITE_END()
