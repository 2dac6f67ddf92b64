#include "jobs/jobd/automatic_quarantine.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

BOOST_AUTO_TEST_SUITE(automatic_quarantine)

BOOST_AUTO_TEST_CASE(certain_is_what_neither_guesses_nor_only_dislikes) {
    for (const char* signature : {"Win.Trojan.Agent-1", "Php.Malware.Own.UNOFFICIAL", "Eicar-Test-Signature",
                                  "YARA.webshell.UNOFFICIAL", "Html.Phishing.Bank-3"}) {
        BOOST_TEST(covers(AutomaticQuarantinePolicy::Certain, signature), signature);
        BOOST_TEST(covers(AutomaticQuarantinePolicy::All, signature), signature);
        BOOST_TEST(!covers(AutomaticQuarantinePolicy::Never, signature), signature);
    }
    for (const char* signature : {"PUA.Win.Packer.Upx-1", "PUA.Own.UNOFFICIAL", "Heuristics.OLE2.ContainsMacros",
                                  "Heuristics.Phishing.Email.SpoofedDomain", "Phishing.Heuristics.Email.Spoofed"}) {
        BOOST_TEST(!covers(AutomaticQuarantinePolicy::Certain, signature), signature);
        BOOST_TEST(covers(AutomaticQuarantinePolicy::All, signature), signature);
        BOOST_TEST(!covers(AutomaticQuarantinePolicy::Never, signature), signature);
    }
}

BOOST_AUTO_TEST_CASE(what_is_intended_waits_until_it_is_settled_and_is_remembered) {
    const TemporaryDirectory place;
    const auto file = place.path + "/jobs.sqlite";
    {
        Ledger ledger(file);
        ledger.automatic().intend(7);
        ledger.automatic().intend(9);
        BOOST_TEST(ledger.automatic().take_news());
        BOOST_TEST(!ledger.automatic().take_news());
        ledger.commit();
        ledger.automatic().settle(9, 12);  // not committed
    }
    Ledger ledger(file);
    auto& table = ledger.automatic();
    const std::vector<TaskId> both{7, 9};
    const std::vector<TaskId> second{9};
    BOOST_TEST(table.waiting(0, 8) == both, boost::test_tools::per_element());
    BOOST_TEST(table.waiting(7, 8) == second, boost::test_tools::per_element());
    BOOST_TEST(table.waiting(0, 1).size() == 1U);
    BOOST_TEST(table.of_scan(9)->waits);
    BOOST_TEST(!table.of_scan(8).has_value());
    table.settle(9, 12);
    table.settle(7, std::nullopt);
    BOOST_TEST(table.waiting(0, 8).empty());
    BOOST_TEST(!table.of_scan(9)->waits);
    BOOST_TEST(table.of_scan(9)->disinfection.value() == 12);
    BOOST_TEST(!table.of_scan(7)->disinfection.has_value());
    BOOST_TEST(table.is_automatic(12));
    BOOST_TEST(!table.is_automatic(7));
    BOOST_TEST(!table.is_automatic(-1));
}

BOOST_AUTO_TEST_SUITE_END()
