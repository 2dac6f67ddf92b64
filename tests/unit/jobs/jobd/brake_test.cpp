#include "jobs/jobd/brake.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string virus = "Wrong.Signature-1";

struct Host {
    Host() { settings.brake.accounts_percent = 10; }

    AccountId account(uid_t uid) {
        return ledger.tasks().account_of(
            {uid, "user" + std::to_string(uid), "/home/" + std::to_string(uid), 1, uid, 1});
    }
    // Each has one infected file among a thousand.
    void scan_accounts(uid_t first, uid_t count, bool infected) {
        for (uid_t uid = first; uid < first + count; ++uid) {
            const auto scan = ledger.tasks().queue_scan(account(uid), ScanType::Home, false).value();
            ledger.tasks().begin(scan);
            ledger.tasks().save_totals(scan, 1000, 1000, true);
            if (infected) {
                ledger.finds().add_infected(scan, 1, "/home/file", virus, "");
                brake.add_hit(account(uid), virus);
            }
            ledger.finds().complete_scan(scan, 1000, 999, 0);
        }
    }
    void let_pass(std::int64_t ms) {
        ledger.commit();
        Database(place.path + "/jobs.sqlite")
            .execute(("UPDATE signature_hit SET running_ms = running_ms - " + std::to_string(ms)).c_str());
    }
    [[nodiscard]] bool is_held() { return !brake.why_held(account(1000), virus).empty(); }

    TemporaryDirectory place;
    Settings settings;
    Ledger ledger{place.path + "/jobs.sqlite"};
    Brake brake{ledger, settings};
};

BOOST_FIXTURE_TEST_SUITE(brake, Host)

BOOST_AUTO_TEST_CASE(holds_a_signature_that_hits_a_tenth_of_the_accounts_within_an_hour) {
    scan_accounts(2000, 100, false);
    scan_accounts(1000, 11, true);
    BOOST_TEST(!is_held());
    scan_accounts(1011, 1, true);
    BOOST_TEST(is_held());
}

BOOST_AUTO_TEST_CASE(holds_nothing_that_hits_fewer_than_ten_accounts) {
    scan_accounts(1000, 9, true);
    BOOST_TEST(!is_held());
    scan_accounts(1009, 1, true);
    BOOST_TEST(is_held());
}

BOOST_AUTO_TEST_CASE(counts_the_hits_of_an_hour_alone) {
    scan_accounts(1000, 9, true);
    let_pass(3'700'000);
    scan_accounts(1009, 9, true);
    BOOST_TEST(!is_held());
}

BOOST_AUTO_TEST_CASE(counts_an_account_once) {
    for (int i = 0; i < 20; ++i) scan_accounts(1000, 1, true);
    BOOST_TEST(!is_held());
}

// A scan at night hits everybody; in the morning somebody wants to delete.
BOOST_AUTO_TEST_CASE(holds_a_signature_before_anybody_asks) {
    scan_accounts(1000, 12, true);
    BOOST_TEST(brake.held().size() == 1U);
    let_pass(6 * hour_ms);
    scan_accounts(1000, 1, true);
    BOOST_TEST(is_held());
    BOOST_TEST(brake.allow(virus));
    BOOST_TEST(!is_held());
    scan_accounts(1000, 12, true);
    BOOST_TEST(!is_held());
}

BOOST_AUTO_TEST_CASE(forgets_old_hits) {
    scan_accounts(1000, 8, true);
    let_pass(3'700'000);
    scan_accounts(2000, 1, true);
    Database other(place.path + "/jobs.sqlite");
    ledger.commit();
    BOOST_TEST(Statement(other.handle(), "SELECT count(*) FROM signature_hit").number().value() == 1);
}

BOOST_AUTO_TEST_CASE(what_is_held_does_not_expire_in_the_quarantine) {
    for (const auto& [name, signature] : {std::pair{"aa", virus}, std::pair{"bb", std::string("Other-1")}}) {
        PlannedAction file;
        file.path = std::string("/home/") + name;
        file.opaque = name;
        file.virus = signature;
        ledger.quarantine().add(account(1000), file, 1, 2);
    }
    const auto expired = [&] {
        return ledger.quarantine().expired(account(1000), INT64_MAX, INT64_MAX, {}, 10).size();
    };
    BOOST_TEST(expired() == 2U);
    scan_accounts(1000, 12, true);
    BOOST_TEST(expired() == 1U);
    BOOST_TEST(brake.allow(virus));
    BOOST_TEST(expired() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
