#include "jobs/fleet/visit.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

const std::string earlier = "0000018a2b3c4d5e8000000000000007";
const std::string later = "0000018a2b3d00008000000000000008";

MachineStatistic statistic(const std::string& task, int status, std::uint64_t infected) {
    MachineStatistic read;
    read.ever = true;
    read.task = task;
    read.begun_ms = 1'700'000'000'000;
    read.status = status;
    read.percent = status;
    read.infected = infected;
    read.risk = infected > 0 ? RiskLevel::High : RiskLevel::None;
    read.completed = status == 100;
    read.safe = read.completed && infected == 0;
    return read;
}

OpenPart ordered() {
    OpenPart part;
    part.created_ms = 1'700'000'000'000;
    part.before = earlier;
    return part;
}

}  // namespace

BOOST_AUTO_TEST_CASE(numbers_never_go_back) {
    auto part = ordered();
    take_numbers(statistic(later, 10, 5), part);
    auto back = statistic(later, 0, 2);
    back.risk = RiskLevel::Low;
    take_numbers(back, part);
    BOOST_TEST(part.status == 10);
    BOOST_TEST(part.percent == 10);
    BOOST_TEST(part.infected == 5U);
    BOOST_TEST(static_cast<int>(part.risk) == static_cast<int>(RiskLevel::High));
    BOOST_TEST(!part.is_done());
}

BOOST_AUTO_TEST_CASE(what_has_ended_stays_as_it_ended) {
    auto part = ordered();
    take_numbers(statistic(later, 100, 3), part);
    BOOST_TEST(part.completed);
    BOOST_TEST(!part.is_done());  // its finds are yet to come
    take_numbers(statistic(later, 100, 0), part);
    BOOST_TEST(part.infected == 3U);
    BOOST_TEST(!part.safe);
    BOOST_TEST(!part.collected);
    auto clean = ordered();
    take_numbers(statistic(later, 100, 0), clean);
    BOOST_TEST(clean.safe);
    BOOST_TEST(clean.is_done());
    take_numbers(statistic(later, 100, 9), clean);
    BOOST_TEST(clean.infected == 0U);
}

// Nobody is safe who has said of this very scan that it found something.
BOOST_AUTO_TEST_CASE(a_machine_that_takes_its_finds_back_is_not_safe) {
    auto part = ordered();
    take_numbers(statistic(later, 10, 5), part);
    take_numbers(statistic(later, 100, 0), part);
    BOOST_TEST(part.infected == 5U);
    BOOST_TEST(!part.safe);
}

BOOST_AUTO_TEST_CASE(the_ordered_scan_is_one_of_the_whole_machine_that_was_not_there_before) {
    BOOST_TEST(is_ordered_scan(statistic(later, 0, 0), ordered()));
    BOOST_TEST(!is_ordered_scan(statistic(earlier, 0, 0), ordered()));
    BOOST_TEST(!is_ordered_scan(statistic("0000018a2b3d00000000000000000008", 0, 0), ordered()));
    BOOST_TEST(!is_ordered_scan({}, ordered()));
    auto not_ordered = ordered();
    not_ordered.before.reset();
    BOOST_TEST(!is_ordered_scan(statistic(later, 0, 0), not_ordered));
}

// A machine that was set back to a backup shows a scan from before the order.
BOOST_AUTO_TEST_CASE(a_scan_from_long_before_the_order_is_not_the_ordered_one) {
    auto old = statistic(later, 100, 0);
    old.begun_ms -= 16 * 60 * 1000;
    BOOST_TEST(!is_ordered_scan(old, ordered()));
    old.begun_ms += 2 * 60 * 1000;  // the clocks may differ a little
    BOOST_TEST(is_ordered_scan(old, ordered()));
}
