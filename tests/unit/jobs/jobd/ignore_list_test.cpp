// Files that are ignored although they are infected: what is, what is not, and that every sum stays right.
#include "jobs/jobd/ignore_list.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "jobs/jobd/ledger.h"
#include "jobs/jobd/scan_history.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string content(64, 'a');
const std::string other_content(64, 'b');

struct Account {
    Account() : ledger(file) {}

    void begin_scan() {
        scan = ledger.tasks().queue_scan(account, ScanType::Home, false).value();
        ledger.tasks().begin(scan);
    }
    void find(const std::string& name, const std::string& sha256 = content, const std::string& virus = "Wrong") {
        ledger.finds().add_infected(scan, 1, path(name), virus, sha256);
    }
    // The walk saw none of the files, which were made later: all of them count nevertheless.
    void complete(std::uint64_t clean = 0) { ledger.finds().complete_scan(scan, 0, clean, 0); }
    // Finds these, and nothing else.
    void scan_of(const std::vector<std::string>& names) {
        begin_scan();
        for (const auto& name : names) find(name);
        complete();
    }
    static std::string path(const std::string& name) { return "/home/alice/" + name; }
    IgnoreResult ignore(const std::string& name, std::int64_t expires_ms = 0) {
        return ledger.finds()
            .ignore(account, path(name), {"ours", expires_ms, {AskedBy::Owner, "", "192.0.2.1"}})
            .result;
    }
    void settle() {
        while (ledger.finds().settle_ignored()) {
        }
    }
    std::set<std::string> infected() {
        std::set<std::string> names;
        for (const auto& file : ledger.finds().infected_files(scan, 0, 1'000'000).files)
            names.insert(file.path.substr(12));
        return names;
    }
    std::vector<IgnoredFile> listed() {
        std::vector<IgnoredFile> files;
        for (std::uint64_t after = 0;;) {
            auto piece = ledger.finds().ignored_files(account, scan, after, 1);
            for (auto& file : piece.files) files.push_back(std::move(file));
            if (piece.next == 0) return files;
            after = piece.next;
        }
    }
    // In the account's history, the latest first.
    std::vector<HistoryEntry> changes() {
        auto entries = ledger.history().of_account(account, 0).entries;
        std::erase_if(entries, [](const HistoryEntry& entry) { return entry.what == AskedFor::Scan; });
        return entries;
    }
    std::set<std::string> ignored() {
        std::set<std::string> names;
        for (const auto& file : listed())
            if (file.found) names.insert(file.path.substr(12));
        return names;
    }
    void check_sums() {
        const auto task = ledger.tasks().get(scan);
        BOOST_TEST(task.infected_files == infected().size());
        BOOST_TEST(task.ignored_files == ignored().size());
        BOOST_TEST(task.total_files ==
                   task.clean_files + task.infected_files + task.ignored_files + task.unscanned_files);
        BOOST_TEST(task.scanned_files == task.total_files);
        // Every page of events is found by the number of its first one.
        const auto events = [&](std::uint64_t offset, std::uint64_t limit) {
            return history.events({false, account}, offset, limit, 1'000'000);
        };
        std::set<std::string> seen;
        for (std::uint64_t i = 0; i < events(0, 1).total; ++i)
            for (const auto& event : events(i, 1).events) seen.insert(event.path.substr(12));
        BOOST_TEST(seen == infected(), boost::test_tools::per_element());
    }

    TemporaryDirectory place;
    const std::string file = place.path + "/jobs.sqlite";
    Ledger ledger;
    Settings settings;
    ScanHistory history{ledger, settings};
    const AccountId account = ledger.tasks().account_of({1001, "alice", "/home/alice", 11, 22, 33});
    TaskId scan = 0;
};

using Names = std::set<std::string>;

BOOST_FIXTURE_TEST_SUITE(ignore_list, Account)

BOOST_AUTO_TEST_CASE(an_ignored_file_is_neither_infected_nor_clean_and_the_next_scan_ignores_it_too) {
    scan_of({"a.php", "b.php"});
    find("c.php", other_content);
    for (int scans = 0; scans < 2; ++scans) {
        if (scans == 0) {
            BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
            settle();
        } else {
            begin_scan();
            find("a.php");
            find("b.php");
            find("c.php", other_content);
            ledger.finds().add_unscanned(scan, 1, path("d"), UnscannedReason::Encrypted, 3);
            complete(5);
            check_sums();
        }
        // The same content elsewhere, too.
        BOOST_TEST(ignored() == Names({"a.php", "b.php"}), boost::test_tools::per_element());
        BOOST_TEST(infected() == Names({"c.php"}), boost::test_tools::per_element());
    }
    const auto entry = listed().at(0);
    BOOST_TEST(entry.ignoring.reason == "ours");
    BOOST_TEST(entry.ignoring.asker.from == "192.0.2.1");
    BOOST_TEST(entry.since_ms > 0);
    BOOST_TEST(!entry.for_everybody);
}

BOOST_AUTO_TEST_CASE(another_content_another_signature_and_an_unknown_content_are_found) {
    scan_of({"a.php"});
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    begin_scan();
    find("a.php", other_content);
    find("b.php", content, "Newer");
    find("c.php", "");
    complete();
    BOOST_TEST(infected() == Names({"a.php", "b.php", "c.php"}), boost::test_tools::per_element());
    BOOST_TEST(ignored().empty());
    check_sums();
    // It is still in the list, though no file goes by it.
    BOOST_REQUIRE_EQUAL(listed().size(), 1U);
    BOOST_TEST(listed()[0].path == path("a.php"));
}

BOOST_AUTO_TEST_CASE(only_a_find_whose_content_is_known_can_be_ignored) {
    BOOST_TEST((ignore("a.php") == IgnoreResult::NoFind));  // no scan
    begin_scan();
    find("a.php", "");
    ledger.finds().add_unscanned(scan, 1, path("b.php"), UnscannedReason::Encrypted, 1);
    find("c.php");
    complete();
    ledger.finds().leave_list(account, path("c.php"));
    BOOST_TEST((ignore("a.php") == IgnoreResult::UnknownContent));
    for (const auto* name : {"b.php", "c.php", "d.php"}) BOOST_TEST((ignore(name) == IgnoreResult::NoFind));
    settle();
    BOOST_TEST(listed().empty());
    const auto bob = ledger.tasks().account_of({1002, "bob", "/home/bob", 11, 23, 33});
    BOOST_TEST((ledger.finds().ignore(bob, path("a.php"), {}).result == IgnoreResult::NoFind));
}

BOOST_AUTO_TEST_CASE(what_is_ignored_no_longer_is_a_find_again_at_once) {
    begin_scan();
    for (int i = 0; i < 120; ++i) find("copy" + std::to_string(i));
    find("other.php", other_content);
    complete(2);
    BOOST_TEST((ignore("copy7") == IgnoreResult::Ignored));
    BOOST_TEST(infected().size() == 120U);  // the copies follow
    settle();
    BOOST_TEST(infected() == Names({"other.php"}), boost::test_tools::per_element());
    check_sums();
    const auto row = static_cast<IgnoreList::RowId>(listed().at(0).row);
    BOOST_TEST(!ledger.ignored().end(account + 1, row).has_value());
    BOOST_TEST(ledger.ignored().end(account, row).has_value());
    BOOST_TEST(!ledger.ignored().end(account, row).has_value());
    BOOST_TEST(ledger.finds().settle_ignored());
    BOOST_TEST(infected().size() == 51U);
    settle();
    BOOST_TEST(infected().size() == 121U);
    BOOST_TEST(listed().empty());
    check_sums();
    scan_of({"copy7"});
    BOOST_TEST(infected() == Names({"copy7"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(it_expires) {
    scan_of({"a.php"});
    BOOST_TEST((ignore("a.php", now_ms() + day_ms) == IgnoreResult::Ignored));
    settle();
    BOOST_TEST(ignored().size() == 1U);
    BOOST_TEST((ignore("a.php", now_ms() - 1) == IgnoreResult::Ignored));
    // Not even before it is settled.
    begin_scan();
    find("b.php");
    BOOST_TEST(infected().size() == 1U);
    complete();
    settle();
    BOOST_TEST(listed().empty());
    check_sums();
}

BOOST_AUTO_TEST_CASE(a_file_that_is_ignored_again_keeps_its_place_and_gets_the_new_reason) {
    scan_of({"a.php"});
    BOOST_TEST((ignore("a.php", now_ms() + day_ms) == IgnoreResult::Ignored));
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    settle();
    BOOST_REQUIRE_EQUAL(listed().size(), 1U);
    BOOST_TEST(listed()[0].ignoring.expires_ms == 0);
    check_sums();
}

BOOST_AUTO_TEST_CASE(a_scan_that_is_cancelled_adds_up_and_goes_by_what_is_ignored_then) {
    begin_scan();
    find("a.php");
    find("b.php", other_content);
    complete();
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    BOOST_TEST((ignore("b.php") == IgnoreResult::Ignored));
    settle();
    const auto before = scan;
    for (const auto& file : listed())
        if (file.sha256 == other_content)
            BOOST_TEST(ledger.ignored().end(account, static_cast<IgnoreList::RowId>(file.row)).has_value());
    begin_scan();
    ledger.finds().begin_list(scan, 1, false);
    find("c.php");
    const auto task = ledger.tasks().get(scan);
    ledger.finds().keep_find(task, before, path("a.php"), 1);
    ledger.finds().keep_find(task, before, path("b.php"), 2);
    ledger.finds().keep_find(task, before, path("c.php"), 3);
    BOOST_TEST(ledger.finds().count_placed(scan, 0, 10) == 3U);
    ledger.finds().end_unfinished(scan, Outcome::Cancelled, "it was cancelled", 4);
    BOOST_TEST(ignored() == Names({"a.php", "c.php"}), boost::test_tools::per_element());
    BOOST_TEST(infected() == Names({"b.php"}), boost::test_tools::per_element());
    check_sums();
    settle();
    check_sums();
}

BOOST_AUTO_TEST_CASE(without_a_list_the_finds_of_the_scan_before_are_kept_ignored_ones_too) {
    begin_scan();
    find("a.php");
    find("b.php", other_content);
    complete();
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    const auto before = scan;
    begin_scan();
    std::int64_t after = 0;
    while (ledger.finds().keep_finds_below(scan, before, "/home/alice", after)) {
    }
    ledger.finds().end_unfinished(scan, Outcome::EndedEarly, "its list is gone", 0);
    BOOST_TEST(ignored() == Names({"a.php"}), boost::test_tools::per_element());
    BOOST_TEST(infected() == Names({"b.php"}), boost::test_tools::per_element());
    check_sums();
}

BOOST_AUTO_TEST_CASE(a_resumed_scan_counts_each_file_once) {
    begin_scan();
    find("a.php");
    find("b.php", other_content);
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    find("a.php");
    ledger.finds().add_unscanned(scan, 1, path("a.php"), UnscannedReason::Vanished, 0);
    find("b.php");  // has that content by now
    complete();
    BOOST_TEST(infected().empty());
    check_sums();
}

BOOST_AUTO_TEST_CASE(who_has_files_ignored_is_not_safe) {
    scan_of({"a.php"});
    BOOST_TEST((history.statistics({false, account}).latest.risk == RiskLevel::High));
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    const auto latest = history.statistics({false, account}).latest;
    BOOST_TEST(latest.infected_files == 0U);
    BOOST_TEST((latest.risk == RiskLevel::None));
    BOOST_TEST(latest.proves_nothing);
}

BOOST_AUTO_TEST_CASE(the_scan_of_all_accounts_counts_them_when_its_jobs_end_and_after) {
    const auto system_scan = history.begin_system_scan({1001}).value();
    scan = history.queue_job(system_scan, 1001, account).value();
    ledger.tasks().begin(scan);
    find("a.php");
    find("b.php", other_content);
    BOOST_TEST((ignore("b.php") == IgnoreResult::Ignored));
    BOOST_TEST(history.system_scan_progress().ignored_files == 1U);
    complete();
    history.end_system_scan(system_scan);
    const auto numbers = [&] {
        const auto progress = history.system_scan_progress();
        return std::pair(progress.infected_files, progress.ignored_files);
    };
    BOOST_TEST((numbers() == std::pair<std::uint64_t, std::uint64_t>(1, 1)));
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    BOOST_TEST((numbers() == std::pair<std::uint64_t, std::uint64_t>(0, 2)));
    BOOST_TEST(history.events({true, 0}, 0, 10, 1'000'000).total == 0U);
    const auto latest = history.statistics({true, 0}).latest;
    BOOST_TEST(latest.proves_nothing);
    BOOST_TEST((latest.risk == RiskLevel::None));
    BOOST_TEST(ledger.finds().all_finds(0, "", 100).finds.empty());
}

BOOST_AUTO_TEST_CASE(the_administrators_rows_bind_to_content_signature_or_signature_and_path) {
    const auto add = [&](const std::string& virus, const std::string& sha256, const std::string& pattern) {
        BOOST_TEST(ledger.ignored().add_for_all({0, virus, sha256, pattern, "", 0, 0}, {"known", 0, {}}));
    };
    add("", content, "");
    add("Broken", "", "");
    add("Careless", "", "public_html/*.js");
    add("Both", other_content, "");
    begin_scan();
    find("by-content");
    find("by-signature", other_content, "Broken");
    find("public_html/a/b.js", other_content, "Careless");
    find("by-both", other_content, "Both");
    find("elsewhere.js", other_content, "Careless");
    find("public_html/c.js", other_content, "Other");
    find("both-but-another", std::string(64, 'c'), "Both");
    find("changed", "", "Broken");
    complete();
    BOOST_TEST(ignored() == Names({"by-content", "by-signature", "public_html/a/b.js", "by-both"}),
               boost::test_tools::per_element());
    BOOST_TEST(infected() == Names({"elsewhere.js", "public_html/c.js", "both-but-another", "changed"}),
               boost::test_tools::per_element());
    check_sums();
    for (const auto& file : listed()) BOOST_TEST(file.for_everybody);
    const auto rows = ledger.ignored().for_all();
    BOOST_TEST(rows.size() == 4U);
    BOOST_TEST(ledger.ignored().is_administrators(static_cast<IgnoreList::RowId>(rows[0].id)));
    // Its owner cannot end it; the administrator can.
    BOOST_TEST(!ledger.ignored().end(account, static_cast<IgnoreList::RowId>(rows[0].id)).has_value());
    for (const auto& row : rows) BOOST_TEST(ledger.ignored().end_for_all(static_cast<IgnoreList::RowId>(row.id)));
    settle();
    BOOST_TEST(infected().size() == 8U);
    BOOST_TEST(ledger.ignored().for_all().empty());
    check_sums();
}

BOOST_AUTO_TEST_CASE(a_find_that_two_rows_ignore_stays_ignored_when_one_ends) {
    scan_of({"a.php"});
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    settle();
    BOOST_TEST(ledger.ignored().add_for_all({0, "Wrong", "", "", "", 0, 0}, {}));
    BOOST_TEST(ledger.ignored().end(account, static_cast<IgnoreList::RowId>(listed().at(0).row)).has_value());
    settle();
    BOOST_TEST(ignored().size() == 1U);
    BOOST_TEST(listed().at(0).for_everybody);
    check_sums();
}

BOOST_AUTO_TEST_CASE(the_history_tells_the_end_of_what_was_ignored_for_a_time) {
    scan_of({"a.php"});
    BOOST_TEST((ignore("a.php", now_ms() - 1) == IgnoreResult::Ignored));
    BOOST_TEST(changes().empty());
    settle();
    settle();
    const auto told = changes();
    BOOST_REQUIRE(told.size() == 1U);
    BOOST_TEST((told[0].what == AskedFor::UnignoreFiles));
    BOOST_TEST((told[0].asker.by == AskedBy::Time));
    BOOST_TEST(told[0].files == 1U);
    BOOST_TEST(told[0].why == "that of /home/alice/a.php (Wrong); its time is over");
}

BOOST_AUTO_TEST_CASE(the_history_tells_once_that_the_administrator_ignores_and_once_that_it_is_over) {
    const auto row = [&] { return static_cast<IgnoreList::RowId>(ledger.ignored().for_all().at(0).id); };
    BOOST_TEST(ledger.ignored().add_for_all({0, "Wrong", "", "", "", 0, 0}, {"known", 0, {}}));
    BOOST_TEST(changes().empty());  // nothing of this account is ignored yet
    scan_of({"a.php", "b.php"});
    auto told = changes();
    BOOST_REQUIRE(told.size() == 1U);
    BOOST_TEST((told[0].what == AskedFor::IgnoreFiles));
    BOOST_TEST((told[0].asker.by == AskedBy::Administrator));
    BOOST_TEST(told[0].files == 0U);
    BOOST_TEST(told[0].why == "in all accounts; in this one first /home/alice/a.php (Wrong); for ever; reason: known");
    scan_of({"a.php"});
    BOOST_TEST(changes().size() == 1U);

    BOOST_TEST(ledger.ignored().end_for_all(row()));
    settle();
    told = changes();
    BOOST_REQUIRE(told.size() == 2U);
    BOOST_TEST((told[0].what == AskedFor::UnignoreFiles));
    BOOST_TEST((told[0].asker.by == AskedBy::Administrator));
    BOOST_TEST(told[0].why == "in all accounts; in this one /home/alice/a.php (Wrong) is found again");
    // And it may begin anew.
    BOOST_TEST(ledger.ignored().add_for_all({0, "Wrong", "", "", "", 0, 0}, {"known", 0, {}}));
    scan_of({"a.php"});
    BOOST_TEST(changes().size() == 3U);
}

BOOST_AUTO_TEST_CASE(the_history_tells_nothing_of_an_administrators_row_that_changes_nothing_here) {
    BOOST_TEST(ledger.ignored().add_for_all({0, "Wrong", "", "", "", 0, 0}, {"known", now_ms() + day_ms, {}}));
    scan_of({"a.php"});
    scan_of({});  // nobody sees the first scan any more
    BOOST_TEST(changes().size() == 1U);
    BOOST_TEST(ledger.ignored().end_for_all(static_cast<IgnoreList::RowId>(ledger.ignored().for_all().at(0).id)));
    settle();
    BOOST_TEST(changes().size() == 1U);
    BOOST_TEST(ledger.database().statement<"SELECT count(*) FROM ignoring_told">().number().value() == 0);
}

BOOST_AUTO_TEST_CASE(the_history_tells_that_an_administrators_row_has_ended_by_itself) {
    BOOST_TEST(ledger.ignored().add_for_all({0, "Wrong", "", "", "", 0, 0}, {"known", now_ms() + day_ms, {}}));
    scan_of({"a.php"});
    ledger.database().write();
    ledger.database().statement<"UPDATE ignored SET expires_ms = 1">().run();
    settle();
    BOOST_TEST(infected() == Names({"a.php"}), boost::test_tools::per_element());
    BOOST_REQUIRE(changes().size() == 2U);
    BOOST_TEST((changes()[0].what == AskedFor::UnignoreFiles));
    BOOST_TEST((changes()[0].asker.by == AskedBy::Time));
}

BOOST_AUTO_TEST_CASE(what_the_administrator_goes_on_ignoring_is_told_as_such) {
    scan_of({"a.php"});
    BOOST_TEST((ignore("a.php") == IgnoreResult::Ignored));
    settle();
    BOOST_TEST(ledger.ignored().add_for_all({0, "Wrong", "", "", "", 0, 0}, {"known", 0, {}}));
    BOOST_TEST(ledger.ignored().end(account, static_cast<IgnoreList::RowId>(listed().at(0).row)).has_value());
    settle();
    BOOST_REQUIRE(changes().size() == 1U);
    BOOST_TEST((changes()[0].what == AskedFor::IgnoreFiles));
    BOOST_TEST((changes()[0].asker.by == AskedBy::Administrator));
}

BOOST_AUTO_TEST_CASE(what_was_committed_survives_in_the_middle_of_settling) {
    begin_scan();
    for (int i = 0; i < 70; ++i) find("copy" + std::to_string(i));
    complete();
    BOOST_TEST((ignore("copy1") == IgnoreResult::Ignored));
    BOOST_TEST(ledger.finds().settle_ignored());
    ledger.commit();
    Ledger again(file);
    while (again.finds().settle_ignored()) {
    }
    BOOST_TEST(again.tasks().get(scan).ignored_files == 70U);
    BOOST_TEST(again.tasks().get(scan).infected_files == 0U);
}

BOOST_AUTO_TEST_CASE(an_account_ignores_only_so_many_contents) {
    begin_scan();
    for (std::size_t i = 0; i <= most_ignored_per_account; ++i)
        find("f" + std::to_string(i), "hash" + std::to_string(i));
    complete();
    for (std::size_t i = 0; i < most_ignored_per_account; ++i)
        BOOST_REQUIRE((ignore("f" + std::to_string(i)) == IgnoreResult::Ignored));
    BOOST_TEST((ignore("f" + std::to_string(most_ignored_per_account)) == IgnoreResult::TooMany));
    BOOST_TEST((ignore("f1") == IgnoreResult::Ignored));  // again
    BOOST_TEST(ledger.ignored().end(account, static_cast<IgnoreList::RowId>(listed().at(0).row)).has_value());
    settle();
    BOOST_TEST((ignore("f" + std::to_string(most_ignored_per_account)) == IgnoreResult::Ignored));
}

BOOST_AUTO_TEST_CASE(a_pattern_fits_the_whole_path) {
    BOOST_TEST(fits("a/b.js", "*.js"));
    BOOST_TEST(fits("a/b.js", "a/?.js"));
    BOOST_TEST(fits("aXbXc", "a*b*c"));
    BOOST_TEST(fits("", "*"));
    BOOST_TEST(!fits("a/b.jsx", "*.js"));
    BOOST_TEST(!fits("xa/b.js", "a/*"));
    BOOST_TEST(!fits("a", ""));
    BOOST_TEST(!fits(std::string(5000, 'a'), "*"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
