#include "jobs/runner/home_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

struct Log {
    TemporaryDirectory home;
    HomeLog log{home.fd.get(), ".log"};
};

BOOST_FIXTURE_TEST_SUITE(home_log, Log)

BOOST_AUTO_TEST_CASE(it_holds_every_line_and_only_its_owner_may_read_it) {
    log.begin();
    log.append("one");
    log.append("two");
    BOOST_TEST(log.whole());
    BOOST_TEST(home.read(".log") == "one\ntwo\n");
    struct stat status {};
    BOOST_REQUIRE(::stat((home.path + "/.log").c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777) == 0600U);
}

BOOST_AUTO_TEST_CASE(it_replaces_a_link_and_writes_nothing_through_it) {
    TemporaryDirectory elsewhere;
    elsewhere.write("target", "untouched");
    BOOST_REQUIRE(::symlink((elsewhere.path + "/target").c_str(), (home.path + "/.log").c_str()) == 0);
    log.begin();
    log.append("one");
    BOOST_TEST(log.whole());
    BOOST_TEST(elsewhere.read("target") == "untouched");
    BOOST_TEST(home.read(".log") == "one\n");
}

BOOST_AUTO_TEST_CASE(a_replaced_or_edited_log_is_not_whole) {
    log.begin();
    log.append("one");
    home.write(".log", "one\nforged\n");
    BOOST_TEST(!log.whole());
    log.begin();
    log.append("one");
    std::filesystem::remove(home.path + "/.log");
    BOOST_TEST(!log.whole());
    BOOST_TEST(!log.problem().empty());
    log.begin();
    log.append("one");
    BOOST_TEST(log.whole());
}

BOOST_AUTO_TEST_CASE(a_directory_in_its_place_is_reported) {
    std::filesystem::create_directories(home.path + "/.log/x");
    log.begin();
    log.append("one");
    BOOST_TEST(!log.whole());
    BOOST_TEST(!log.problem().empty());
    // The temporary file is not left behind.
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(home.path), {}) == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
