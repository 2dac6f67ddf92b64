#include "jobs/jobd/unreached_files.h"

#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <numeric>

#include "auth/base/checked.h"
#include "auth/base/wire.h"
#include "jobs/shared/path_list.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

using Reasons = std::map<std::string, UnscannedReason>;
using Paths = std::vector<std::string>;

struct Scans {
    Scans() {
        config.paths.state_directory = directory.path;
        std::filesystem::create_directory(list_directory(config));
    }
    TaskId begin(ScanType type = ScanType::Home) {
        const TaskId scan = ledger.tasks().queue_scan(account, type, false).value();
        ledger.tasks().begin(scan);
        return scan;
    }
    // The walk of the scan's latest start has ended and found these files.
    void walk(TaskId scan, const Paths& paths) {
        const auto start = ledger.tasks().get(scan).starts;
        const auto name = list_name(config, scan, start);
        PathList list(UniqueFd(checked(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "make a list")));
        for (const auto& path : paths) list.append(path);
        ledger.tasks().save_totals(scan, paths.size(), 0, true);
        ledger.finds().begin_list(scan, start, false);
        ledger.tasks().keep_list(scan, list.finish(), 0);
    }
    void find(TaskId scan, const std::string& name, std::uint64_t place) {
        ledger.finds().add_infected(scan, ledger.tasks().get(scan).starts, "/home/alice/" + name, "Eicar", "e1c4",
                                    false, place, facts);
    }
    void end(TaskId scan, Outcome outcome = Outcome::EndedEarly) {
        ledger.tasks().set_outcome(scan, outcome, "for a test");
        EndOfScan end(config, ledger, scan, "/home/alice");
        while (end.step()) {
        }
    }
    // What the API lists of it, with the home left out; checks that all counts agree.
    Reasons unscanned(TaskId scan) {
        UnscannedFiles listed;
        listed.files = ledger.finds().unscanned_files(scan, 0, answer_budget).files;
        const Task task = ledger.tasks().get(scan);
        ListPlace place;
        while (add_unreached(config, ledger, task, "/home/alice", place, listed)) {
        }
        Reasons reasons;
        for (const auto& file : listed.files) reasons[file.path.substr(12)] = file.reason;
        BOOST_TEST(reasons.size() == listed.files.size(), "a file is listed twice");
        const auto counts = ledger.tasks().unscanned_counts(scan);
        const auto counted = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0},
                                             [](std::uint64_t sum, const auto& row) { return sum + row.second; });
        BOOST_TEST(counted == reasons.size());
        BOOST_TEST(task.unscanned_files == reasons.size());
        BOOST_TEST(task.infected_files == infected(scan).size());
        BOOST_TEST(task.clean_files + task.infected_files + task.ignored_files + task.unscanned_files ==
                   task.total_files);
        BOOST_TEST(task.scanned_files == task.total_files);
        for (const auto& path : infected(scan)) BOOST_TEST(!reasons.contains(path), path);
        return reasons;
    }
    Paths infected(TaskId scan) {
        Paths paths;
        for (const auto& file : ledger.finds().infected_files(scan, 0, answer_budget, true).files)
            paths.push_back(file.path.substr(12));
        return paths;
    }

    TemporaryDirectory directory;
    Settings config;
    Ledger ledger{directory.path + "/jobs.sqlite"};
    AccountId account = ledger.tasks().account_of({1001, "alice", "/home/alice", 11, 22, 33});
    FindFacts facts;  // of what is found
    static constexpr auto early = UnscannedReason::EndedEarly;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(unreached_files, Scans)

BOOST_AUTO_TEST_CASE(without_a_walk_the_directory_stands_for_its_files) {
    const auto home = begin();
    end(home);
    BOOST_TEST((unscanned(home) == Reasons{{"", early}}));
    const auto mail = begin(ScanType::Mail);
    ledger.tasks().save_totals(mail, 5000, 0, false);
    end(mail);
    BOOST_TEST((unscanned(mail) == Reasons{{"mail/", early}}));
}

BOOST_AUTO_TEST_CASE(a_scan_that_never_began_has_reached_nothing) {
    const auto scan = ledger.tasks().queue_scan(account, ScanType::Home, false).value();
    end(scan);
    BOOST_TEST((unscanned(scan) == Reasons{{"", early}}));
}

BOOST_AUTO_TEST_CASE(what_was_listed_and_not_reached_is_listed) {
    const auto scan = begin();
    walk(scan, {"a", "b", "c"});
    end(scan);
    BOOST_TEST((unscanned(scan) == Reasons{{"a", early}, {"b", early}, {"c", early}}));
}

BOOST_AUTO_TEST_CASE(cancelled_files_have_another_reason) {
    const auto scan = begin();
    walk(scan, {"a"});
    end(scan, Outcome::Cancelled);
    BOOST_TEST((unscanned(scan) == Reasons{{"a", UnscannedReason::Cancelled}}));
}

BOOST_AUTO_TEST_CASE(what_was_reached_keeps_its_verdict) {
    const auto scan = begin();
    walk(scan, {"clean", "found", "slow", "far", "provisional", "later"});
    find(scan, "found", 1);
    ledger.finds().add_unscanned(scan, 1, "/home/alice/slow", UnscannedReason::TimeLimit, 2);
    ledger.tasks().settle(scan, {3, 30, 1, 0});
    ledger.tasks().save_progress(scan, 5, 50, 2);
    find(scan, "far", 3);
    ledger.finds().add_unscanned(scan, 1, "/home/alice/provisional", UnscannedReason::TimeLimit, 4);
    end(scan);
    BOOST_TEST(
        (unscanned(scan) == Reasons{{"slow", UnscannedReason::TimeLimit}, {"provisional", early}, {"later", early}}));
    BOOST_TEST((infected(scan) == Paths{"found", "far"}));
    BOOST_TEST(ledger.tasks().get(scan).clean_files == 1U);
}

BOOST_AUTO_TEST_CASE(a_later_start_that_does_not_finish_its_walk_changes_nothing) {
    const auto scan = begin();
    walk(scan, {"a", "b", "vanished", "d"});
    find(scan, "b", 1);
    ledger.tasks().requeue(scan, true, "it was killed");
    ledger.tasks().begin(scan);
    ledger.finds().add_unscanned(scan, 2, "/home/alice/vanished", UnscannedReason::Vanished, std::nullopt);
    ledger.finds().add_unscanned(scan, 2, "/home/alice/closed/", UnscannedReason::Unreadable, std::nullopt);
    end(scan);
    BOOST_TEST((unscanned(scan) == Reasons{{"a", early},
                                           {"vanished", UnscannedReason::Vanished},
                                           {"d", early},
                                           {"closed/", UnscannedReason::Unreadable}}));
    BOOST_TEST((infected(scan) == Paths{"b"}));
}

BOOST_AUTO_TEST_CASE(finds_of_an_earlier_start_stay_when_a_later_one_walks_again) {
    const auto scan = begin();
    walk(scan, {"found", "a", "b", "gone"});
    find(scan, "found", 0);
    find(scan, "gone", 3);
    ledger.tasks().requeue(scan, true, "it was killed");
    ledger.tasks().begin(scan);
    walk(scan, {"new", "a", "b", "found"});
    ledger.tasks().settle(scan, {2, 20, 2, 0});
    end(scan);
    BOOST_TEST((unscanned(scan) == Reasons{{"b", early}}));
    BOOST_TEST((infected(scan) == Paths{"found", "gone"}));
    BOOST_TEST(ledger.tasks().get(scan).clean_files == 2U);
}

BOOST_AUTO_TEST_CASE(an_unreached_file_that_the_scan_before_found_infected_still_is) {
    const auto before = begin();
    walk(before, {"a", "b", "cleansed", "repaired", "outside"});
    facts = {68, 1000, 3000, 2000};
    for (const auto* name : {"a", "b", "cleansed", "repaired", "outside"}) find(before, name, 0);
    ledger.finds().complete_scan(before, 5, 0, 0);
    ledger.finds().leave_list(account, "/home/alice/cleansed");
    const auto scan = begin();
    walk(scan, {"repaired", "new", "a", "b", "cleansed"});
    ledger.tasks().settle(scan, {1, 10, 1, 0});
    end(scan);
    BOOST_TEST((unscanned(scan) == Reasons{{"new", early}, {"cleansed", early}}));
    BOOST_TEST((infected(scan) == Paths{"a", "b"}));
    BOOST_TEST(ledger.finds().found_sha256(account, "/home/alice/a") == "e1c4");
    BOOST_TEST(ledger.finds().infected_files(scan, 0, answer_budget).files.size() == 2U);
    BOOST_TEST((ledger.finds().infected_files(scan, 0, answer_budget).files[0].facts == facts));
    // And once more, although the scan that found it is no longer there.
    while (ledger.prune(0, 0)) {
    }
    const auto next = begin();
    end(next);
    BOOST_TEST((unscanned(next) == Reasons{{"", early}}));
    BOOST_TEST((infected(next) == Paths{"a", "b"}));
    BOOST_TEST((ledger.finds().infected_files(next, 0, answer_budget).files[1].facts == facts));
}

BOOST_AUTO_TEST_CASE(an_unreached_file_that_is_ignored_still_is) {
    const auto before = begin();
    walk(before, {"fine"});
    find(before, "fine", 0);
    BOOST_TEST((ledger.finds().ignore(account, "/home/alice/fine", {}).result == IgnoreResult::Ignored));
    ledger.finds().complete_scan(before, 1, 0, 0);
    for (const bool walks : {true, false}) {
        const auto scan = begin();
        if (walks) walk(scan, {"new", "fine"});
        end(scan);
        BOOST_TEST((unscanned(scan) == (walks ? Reasons{{"new", early}} : Reasons{{"", early}})));
        BOOST_TEST(ledger.tasks().get(scan).ignored_files == 1U);
    }
}

BOOST_AUTO_TEST_CASE(without_a_walk_only_finds_below_the_directory_are_kept) {
    const auto before = begin();
    walk(before, {"mail/a", "b"});
    find(before, "mail/a", 0);
    find(before, "b", 1);
    ledger.finds().complete_scan(before, 2, 0, 0);
    const auto scan = begin(ScanType::Mail);
    end(scan);
    BOOST_TEST((infected(scan) == Paths{"mail/a"}));
    BOOST_TEST((unscanned(scan) == Reasons{{"mail/", early}}));
}

BOOST_AUTO_TEST_CASE(a_list_that_is_missing_or_damaged_is_none) {
    for (const bool missing : {true, false}) {
        const auto scan = begin();
        walk(scan, {"a", "b"});
        ledger.tasks().settle(scan, {1, 10, 1, 0});
        const auto name = list_name(config, ledger.tasks().get(scan));
        if (missing)
            std::filesystem::remove(name);
        else
            BOOST_REQUIRE(::write(UniqueFd(::open(name.c_str(), O_WRONLY | O_CLOEXEC)).get(), "\xff\xff\xff\xff", 4) ==
                          4);
        end(scan);
        BOOST_TEST((unscanned(scan) == Reasons{{"", early}}));
    }
}

BOOST_AUTO_TEST_CASE(a_long_list_is_passed_in_pieces) {
    constexpr std::size_t many = 5000;
    const auto before = begin();
    walk(before, {});
    for (std::size_t i = 0; i < many; i += 2) find(before, std::to_string(i), i);
    ledger.finds().complete_scan(before, many, 0, 0);
    const auto scan = begin();
    Paths paths;
    for (std::size_t i = 0; i < many; ++i) paths.push_back(std::to_string(i));
    walk(scan, paths);
    ledger.tasks().settle(scan, {1500, 0, 1500, 0});
    ledger.tasks().set_outcome(scan, Outcome::Cancelled, "for a test");
    // After a restart in the middle it begins anew.
    for (const int most : {3, 1000}) {
        EndOfScan end(config, ledger, scan, "/home/alice");
        int pieces = 0;
        while (pieces < most && end.step()) ++pieces;
        BOOST_TEST(pieces >= 3);
    }
    BOOST_TEST((ledger.tasks().get(scan).state == TaskState::Ended));
    BOOST_TEST(infected(scan).size() == (many - 1500) / 2);
    BOOST_TEST(unscanned(scan).size() == (many - 1500) / 2);
}

BOOST_AUTO_TEST_CASE(a_place_that_is_none_in_the_list_is_refused) {
    const auto scan = begin();
    walk(scan, {"some/where", "else"});
    end(scan);
    UnscannedFiles listed;
    ListPlace place{0, 3};
    const Task task = ledger.tasks().get(scan);
    BOOST_CHECK_THROW(static_cast<void>(add_unreached(config, ledger, task, "/home/alice", place, listed)), Malformed);
    place.offset = UINT64_MAX;
    BOOST_TEST(!add_unreached(config, ledger, task, "/home/alice", place, listed));
}

BOOST_AUTO_TEST_CASE(only_needed_lists_are_kept) {
    const auto scan = begin();
    walk(scan, {"a"});
    end(scan);
    const auto kept = list_name(config, ledger.tasks().get(scan));
    const auto stale = list_name(config, scan, 7);
    static_cast<void>(UniqueFd(::open(stale.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
    remove_old_lists(config, ledger);
    BOOST_TEST(std::filesystem::exists(kept));
    BOOST_TEST(!std::filesystem::exists(stale));
    const auto next = begin();
    ledger.finds().complete_scan(next, 0, 0, 0);
    remove_old_lists(config, ledger);
    BOOST_TEST(!std::filesystem::exists(kept));
}

BOOST_AUTO_TEST_SUITE_END()
