// Each piece of what jobd does for an account with very long lists takes less than a turn of its loop may.
#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "auth/base/checked.h"
#include "jobs/jobd/scan_history.h"
#include "jobs/jobd/unreached_files.h"
#include "tests/unit/processor_time.h"
#include "tests/unit/queued_tasks.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

constexpr std::size_t many = 60'000;

struct Fixture {
    Fixture() {
        config.paths.state_directory = directory.path;
        std::filesystem::create_directory(list_directory(config));
    }
    static std::string path(std::size_t i) {
        return "/home/alice/public_html/some/where/" + std::to_string(i) + ".php";
    }

    // As long as `step` returns true. A round commits once.
    template <class Step>
    void check_pieces(const char* what, Step step) {
        ledger.commit();
        long long longest = 0;
        std::size_t pieces = 0;
        for (bool more = true; more; ++pieces)
            longest = std::max(longest, cost_of([&] {
                                   more = step();
                                   ledger.commit();
                               }));
        const std::chrono::microseconds limit = longest_turn;
        BOOST_TEST(longest < limit.count(), what << " took " << longest << " us in one of " << pieces << " pieces");
        BOOST_TEST_MESSAGE(what << ": at most " << longest << " us in " << pieces << " pieces");
    }
    TaskId begin() {
        const auto scan = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.tasks().begin(scan);
        return scan;
    }
    // As of a first start: every third file is infected, every third could not be scanned.
    void find_many(TaskId scan) {
        for (std::size_t i = 0; i < many; i += 3) {
            ledger.finds().add_infected(scan, 1, path(i), "Virus-" + std::to_string(i % 100), "e1c4", false, i);
            ledger.finds().add_unscanned(scan, 1, path(i + 1), UnscannedReason::Unreadable, i + 1);
        }
    }
    void make_list(TaskId scan, std::uint32_t start) {
        const auto name = list_name(config, scan, start);
        PathList list(UniqueFd(checked(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "make a list")));
        for (std::size_t i = 0; i < many; ++i) list.append(path(i).substr(12));
        ledger.tasks().save_totals(scan, many, 0, true);
        ledger.finds().begin_list(scan, start, false);
        ledger.tasks().keep_list(scan, list.finish(), 0);
    }

    TemporaryDirectory directory;
    Settings config;
    Ledger ledger{directory.path + "/jobs.sqlite"};
    const AccountId alice = ledger.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pieces, Fixture)

BOOST_AUTO_TEST_CASE(of_the_lists_of_a_scan) {
    const auto scan = begin();
    find_many(scan);
    std::int64_t after = 0;
    check_pieces("infected files", [&] {
        after = ledger.finds().infected_files(scan, after, piece_budget).next;
        return after != 0;
    });
    check_pieces("files that are not scanned", [&] {
        after = ledger.finds().unscanned_files(scan, after, piece_budget).next;
        return after != 0;
    });
    check_pieces("the log of a scan", [&] {
        const auto finds = ledger.finds().finds_after(scan, after, 64);
        if (!finds.empty()) after = finds.back().id;
        return !finds.empty();
    });
    ScanHistory history(ledger, config);
    std::uint64_t offset = 0;
    check_pieces("events", [&] {
        const auto page = history.events({false, alice}, offset, longest_page, longest_jobs_answer / 2);
        offset += page.events.size();
        return !page.events.empty();
    });
    BOOST_TEST(offset == many / 3);
}

BOOST_AUTO_TEST_CASE(of_a_scan_that_starts_again_and_ends_early) {
    const auto before = begin();
    find_many(before);
    ledger.finds().complete_scan(before, many, 0, 0);
    const auto scan = begin();
    find_many(scan);
    ledger.tasks().requeue(scan, true, "it was killed");
    ledger.tasks().begin(scan);
    make_list(scan, 2);
    check_pieces("forgetting what the first start recorded", [&] { return ledger.finds().forget_earlier(scan, 2); });
    ledger.tasks().set_outcome(scan, Outcome::Cancelled, "for a test");
    EndOfScan end(config, ledger, scan, "/home/alice");
    check_pieces("the end of a scan", [&] { return end.step(); });
    const Task ended = ledger.tasks().get(scan);
    BOOST_TEST(ended.infected_files == many / 3);
    BOOST_TEST(ended.unscanned_files == many - many / 3);
    ListPlace place;
    check_pieces("files that were not reached", [&] {
        UnscannedFiles unscanned;
        return add_unreached(config, ledger, ended, "/home/alice", place, unscanned);
    });
    check_pieces("deleting what is superseded", [&] { return ledger.prune(0, 0); });
}

BOOST_AUTO_TEST_CASE(of_many_actions) {
    const auto id = ledger.tasks().queue(alice, TaskKind::Preparation).value();
    std::size_t sent = 0;
    check_pieces("actions that are asked for", [&] {
        std::vector<FileAction> asked;
        for (std::size_t i = 0; i < most_actions_in_piece; ++i)
            asked.push_back({path(sent++).substr(1), Action::Delete});
        std::vector<PlannedAction> planned;
        static_cast<void>(ledger.finds().resolve(alice, "/home/alice", std::move(asked), planned));
        ledger.records().add_actions(id, planned);
        return sent < many;
    });
    ledger.tasks().turn_into(id, TaskKind::Disinfection);
    ledger.tasks().begin(id);
    check_pieces("actions that are done", [&] {
        for (int i = 0; i < 64; ++i) {
            const auto action = ledger.records().next_action(id);
            if (!action) return false;
            ledger.records().record_step(id, *action, RecordState::Error, "left alone");
        }
        return true;
    });
    std::uint64_t last = 0;
    check_pieces("records", [&] {
        auto found = ledger.records().records_after(id, last, piece_budget, most_entries);
        last = found.records.back().id;
        return found.cut;
    });
    BOOST_TEST(last == many);
}

BOOST_AUTO_TEST_CASE(of_a_large_quarantine) {
    for (std::size_t i = 0; i < many; ++i) {
        PlannedAction file;
        file.opaque = std::to_string(i);
        file.path = path(i);
        ledger.quarantine().add(alice, file, 1, i);
        if (i % 2 == 0) ledger.quarantine().set_clean(alice, file.opaque, true);
    }
    check_pieces("the count of clean files", [&] {
        BOOST_TEST(ledger.quarantine().count_clean(alice) == many / 2);
        return false;
    });
    std::int64_t after = 0;
    check_pieces("the list of the quarantine", [&] {
        after = ledger.quarantine().listed(alice, after, piece_budget).next;
        return after != 0;
    });
    check_pieces("files of the quarantine to be scanned", [&] {
        const auto files = ledger.quarantine().after(alice, after, 64);
        if (!files.empty()) after = files.back().id;
        return !files.empty();
    });
    QuarantineList::Expired last;
    check_pieces("files of the quarantine that expire", [&] {
        auto files = ledger.quarantine().expired(alice, INT64_MAX, INT64_MAX, last, 64);
        if (!files.empty()) last = std::move(files.back());
        return !files.empty();
    });
    const auto id = ledger.tasks().queue(alice, TaskKind::Preparation).value();
    std::size_t sent = 0;
    check_pieces("files to be restored", [&] {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < most_actions_in_piece; ++i) names.push_back(std::to_string(sent++));
        ledger.records().add_changes(id, alice, names, Action::Restore);
        return sent < many;
    });
    ledger.tasks().turn_into(id, TaskKind::Restoration);
    after = 0;
    check_pieces("what became of them", [&] {
        after = ledger.records().changed_files(id, after, piece_budget).next;
        return after != 0;
    });
}

BOOST_AUTO_TEST_CASE(of_a_long_history) {
    ScanHistory history(ledger, config);
    const auto first = begin();
    ledger.tasks().end(first, Outcome::Completed, "");
    ledger.commit();
    constexpr std::uint64_t scans = 200'000;
    Database(directory.path + "/jobs.sqlite")
        .execute(("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(scans) +
                  ") INSERT INTO task(account, kind, state, outcome, created_ms, ended_ms, ended_running_ms, starts, "
                  "pruned) SELECT " +
                  std::to_string(alice) + ", 0, 2, 1 + i % 3, i * 1000, i * 1000 + 500, 0, 1, 2 FROM n")
                     .c_str());
    for (const auto scope : {ScanHistory::Scope{true, 0}, ScanHistory::Scope{false, alice}}) {
        std::uint64_t offset = 0;
        check_pieces("a page of the history", [&] {
            const auto page = history.tasks(scope, {}, offset, longest_page);
            BOOST_TEST(page.total == scans + 1);
            offset += scans / 10;
            return !page.tasks.empty();
        });
        check_pieces("a page of a part of the history", [&] {
            ScanFilter filter;
            filter.created_from_ms = scans / 3 * 1000;
            filter.ended_until_ms = scans / 2 * 1000;
            filter.phases = 1U << static_cast<unsigned>(ScanPhase::Completed);
            BOOST_TEST(history.tasks(scope, filter, scans / 20, longest_page).tasks.size() > 0U);
            return false;
        });
        check_pieces("the latest scan", [&] { return !history.statistics(scope).ever_scanned; });
    }
}

BOOST_AUTO_TEST_SUITE_END()
