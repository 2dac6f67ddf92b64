#include "jobs/jobd/running_time.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Host {
    // A new start of jobd.
    RunningTime started() {
        return RunningTime(database, [this] { return since_boot; });
    }
    TemporaryDirectory directory;
    LedgerDatabase database{directory.path + "/jobs.sqlite"};
    std::int64_t since_boot = 1000;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(running_time, Host)

BOOST_AUTO_TEST_CASE(grows_while_the_host_runs) {
    const auto time = started();
    const auto begun = time.now();
    since_boot += 500;
    BOOST_TEST(time.now() == begun + 500);
}

BOOST_AUTO_TEST_CASE(goes_on_when_jobd_is_started_again) {
    const auto begun = started().now();
    since_boot += 500;
    BOOST_TEST(started().now() == begun + 500);
    since_boot += 500;
    BOOST_TEST(started().now() == begun + 1000);
}

BOOST_AUTO_TEST_CASE(goes_on_after_a_reboot) {
    auto time = started();
    const auto begun = time.now();
    since_boot += 500;
    time.save();
    since_boot = 30;
    BOOST_TEST(started().now() == begun + 530);
    // Whoever does not notice the reboot counts too little.
    since_boot = 40;
    BOOST_TEST(started().now() == begun + 540);
}

BOOST_AUTO_TEST_CASE(leaves_out_what_was_not_saved_before_a_reboot) {
    auto time = started();
    const auto begun = time.now();
    since_boot += 500;
    BOOST_TEST(time.now() == begun + 500);
    since_boot = 30;
    BOOST_TEST(started().now() == begun + 30);
}

BOOST_AUTO_TEST_SUITE_END()
