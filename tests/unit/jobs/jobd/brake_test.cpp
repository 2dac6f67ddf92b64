#include "jobs/jobd/brake.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string virus = "Wrong.Signature-1";

struct Host {
    Host() { settings.brake.accounts_percent = 10; }

    AccountId account(uid_t uid) {
        return ledger.account_of({uid, "user" + std::to_string(uid), "/home/" + std::to_string(uid), 1, uid, 1});
    }
    // Each has one infected file among a thousand.
    void scan_accounts(uid_t first, uid_t count, bool infected) {
        for (uid_t uid = first; uid < first + count; ++uid) {
            const auto scan = ledger.queue_scan(account(uid), ScanType::Home, false).value();
            ledger.begin(scan);
            ledger.save_totals(scan, 1000, 1000, true);
            if (infected) ledger.add_infected(scan, 1, "/home/file", virus, "");
            ledger.complete_scan(scan, 1, 1000, 999, 0);
        }
    }
    void change_finds(const std::string& assignment) {
        ledger.commit();
        Database(place.path + "/jobs.sqlite").execute(("UPDATE find SET " + assignment).c_str());
    }
    [[nodiscard]] bool is_held() { return !brake.why_held(account(1000), virus).empty(); }

    TemporaryDirectory place;
    Settings settings;
    Ledger ledger{place.path + "/jobs.sqlite"};
    Brake brake{ledger, settings};
};

BOOST_FIXTURE_TEST_SUITE(brake, Host)

BOOST_AUTO_TEST_CASE(holds_a_signature_that_hits_a_tenth_of_the_accounts_within_an_hour) {
    scan_accounts(1000, 12, true);
    scan_accounts(2000, 100, false);
    BOOST_TEST(is_held());
}

BOOST_AUTO_TEST_CASE(holds_nothing_for_fewer_accounts) {
    scan_accounts(1000, 11, true);
    scan_accounts(2000, 100, false);
    BOOST_TEST(!is_held());
}

BOOST_AUTO_TEST_CASE(counts_the_hits_of_the_last_hour_alone) {
    scan_accounts(1000, 12, true);
    change_finds("found_running_ms = found_running_ms - 3700000");
    BOOST_TEST(!is_held());
}

// Otherwise a signature that hits everybody would delete files after all.
BOOST_AUTO_TEST_CASE(counts_hits_also_when_the_clock_was_set_meanwhile) {
    scan_accounts(1000, 12, true);
    change_finds("found_ms = found_ms - 864000000");
    BOOST_TEST(is_held());
}

BOOST_AUTO_TEST_CASE(what_is_held_stays_held_after_the_hour) {
    scan_accounts(1000, 12, true);
    BOOST_TEST(is_held());
    change_finds("found_running_ms = found_running_ms - 3700000");
    BOOST_TEST(is_held());
    BOOST_TEST(brake.allow(virus));
    BOOST_TEST(!is_held());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
