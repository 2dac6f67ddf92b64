#include "jobs/engine/scan_cache.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

constexpr FileStamp file{7, 8, 9, 10, 11};

struct Fixture {
    Fixture() {
        settings.engine.memory_directory = place.path;
        settings.engine.rescan_days = 7;
        ScanCache(settings, "aa", "signatures").store(file, "");
    }
    [[nodiscard]] std::optional<std::string> found(const std::string& fingerprint = "signatures") {
        return ScanCache(settings, "aa", fingerprint).find(file);
    }
    void change_time(const std::string& seconds) {
        Database(place.path + "/aa.sqlite").execute(("UPDATE clean SET scanned_s = scanned_s + " + seconds).c_str());
    }

    TemporaryDirectory place;
    Settings settings;
};

BOOST_FIXTURE_TEST_SUITE(scan_cache, Fixture)

BOOST_AUTO_TEST_CASE(keeps_a_verdict_for_the_same_file_and_fingerprint) {
    BOOST_TEST((found() == ""));
    auto other = file;
    other.ctime_ns = 12;
    BOOST_TEST(!ScanCache(settings, "aa", "signatures").find(other));
    BOOST_TEST(!ScanCache(settings, "bb", "signatures").find(file));
    BOOST_TEST(!found("newer signatures"));
    BOOST_TEST(!found());
}

BOOST_AUTO_TEST_CASE(forgets_a_verdict_after_rescan_days) {
    change_time("- 6 * 86400");
    BOOST_TEST((found() == ""));
    change_time("- 86400 - 60");
    BOOST_TEST(!found());
}

// Else a verdict from a day on which the clock was a year ahead would be good for a year.
BOOST_AUTO_TEST_CASE(forgets_a_verdict_of_the_future) {
    change_time("+ 3600");
    BOOST_TEST(!found());
    change_time("- 3600");
    BOOST_TEST(!found());
}

BOOST_AUTO_TEST_CASE(takes_no_more_room_than_it_needs_after_new_signatures) {
    {
        ScanCache cache(settings, "aa", "signatures");
        for (std::uint64_t inode = 0; inode < 5000; ++inode) cache.store({7, inode, 9, 10, 11}, "");
    }
    const auto bytes = [&] { return std::filesystem::file_size(place.path + "/aa.sqlite"); };
    BOOST_TEST(bytes() > 100'000U);
    BOOST_TEST(!found("newer signatures"));
    BOOST_TEST(bytes() < 100'000U);
}

BOOST_AUTO_TEST_CASE(begins_anew_when_it_is_damaged) {
    place.write("aa.sqlite", std::string(8192, 'x'));
    BOOST_TEST(!found());
    ScanCache(settings, "aa", "signatures").store(file, "Virus");
    BOOST_TEST((found() == "Virus"));
}

// As an earlier coordinator of the account may, which ends slowly.
BOOST_AUTO_TEST_CASE(stays_as_it_is_when_another_process_has_it) {
    {
        const ScanCache other(settings, "aa", "signatures");
        BOOST_CHECK_EXCEPTION(ScanCache(settings, "aa", "signatures"), DatabaseError,
                              [](const auto& fault) { return !fault.is_in_file; });
    }
    BOOST_TEST((found() == ""));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
