#include "jobs/jobd/scan_history.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "jobs/jobd/ledger.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Fixture {
    TemporaryDirectory directory;
    Settings settings;
    Ledger ledger{directory.path + "/jobs.sqlite"};
    ScanHistory history{ledger, settings};
    const AccountId alice = ledger.tasks().account_of({2001, "alice", "/home/alice", 1, 1, 1});
    const AccountId bob = ledger.tasks().account_of({2002, "bob", "/home/bob", 1, 2, 1});
    const AccountId carol = ledger.tasks().account_of({2003, "carol", "/home/carol", 1, 3, 1});
    static constexpr ScanHistory::Scope host{true, 0};

    static ScanHistory::Scope of(AccountId account) { return {false, account}; }
    ScanTask latest(ScanHistory::Scope scope) {
        const auto statistics = history.statistics(scope);
        BOOST_REQUIRE(statistics.ever_scanned);
        return statistics.latest;
    }
    TaskId begin(AccountId account, ScanType type = ScanType::Home, bool as_system = false) {
        const auto id = ledger.tasks().queue_scan(account, type, as_system).value();
        ledger.tasks().begin(id);
        return id;
    }
    void find_virus(TaskId scan, const std::string& path, const std::string& virus) {
        ledger.finds().add_infected(scan, 1, path, virus, "e1c4");
    }
    void complete(TaskId scan) { ledger.finds().complete_scan(scan, 10, 10, 0); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_history, Fixture)

BOOST_AUTO_TEST_CASE(begins_empty) {
    for (const auto scope : {of(alice), host}) {
        BOOST_TEST(!history.statistics(scope).ever_scanned);
        BOOST_TEST(history.tasks(scope, {}, 0, 10).total == 0U);
        BOOST_TEST(history.events(scope, 0, 10, 1'000'000).total == 0U);
    }
}

BOOST_AUTO_TEST_CASE(tells_when_a_clean_scan_proves_nothing) {
    const auto proves_nothing = [&](bool embedded_only, std::optional<UnscannedReason> reason) {
        const auto id = begin(alice);
        ledger.tasks().set_signatures(id, embedded_only, "");
        if (reason) ledger.finds().add_unscanned(id, 1, "/home/alice/u", *reason, std::nullopt);
        complete(id);
        return latest(of(alice)).proves_nothing;
    };
    BOOST_TEST(!proves_nothing(false, std::nullopt));
    BOOST_TEST(proves_nothing(true, std::nullopt));
    BOOST_TEST(proves_nothing(false, UnscannedReason::ScannerFailed));
    BOOST_TEST(proves_nothing(false, UnscannedReason::TimeLimit));
    BOOST_TEST(!proves_nothing(false, UnscannedReason::Encrypted));
}

BOOST_AUTO_TEST_CASE(tells_that_of_a_scan_of_all_accounts_by_each_of_its_jobs) {
    for (const bool embedded_only : {false, true}) {
        const auto scan = history.begin_system_scan({2001, 2002}).value();
        const auto first = history.queue_job(scan, 2001, alice).value();
        const auto second = history.queue_job(scan, 2002, bob).value();
        for (const auto id : {first, second}) ledger.tasks().begin(id);
        ledger.tasks().set_signatures(second, embedded_only, "");
        complete(first);
        complete(second);
        history.end_system_scan(scan);
        BOOST_TEST((latest(host).phase == ScanPhase::Completed));
        BOOST_TEST(latest(host).proves_nothing == embedded_only);
    }
}

BOOST_AUTO_TEST_CASE(shows_a_scan_from_its_start_to_its_end) {
    const auto id = ledger.tasks().queue_scan(alice, ScanType::Mail, false).value();
    auto scan = latest(of(alice));
    BOOST_TEST((scan.phase == ScanPhase::Queued));
    BOOST_TEST(scan.percent == 0U);
    BOOST_TEST(scan.ended_ms == 0);
    BOOST_TEST(!scan.system);
    BOOST_TEST(scan.paths == std::vector<std::string>{"/home/alice/mail"}, boost::test_tools::per_element());
    BOOST_TEST(scan.id.size() == 32U);
    const auto task_id = scan.id;

    ledger.tasks().begin(id);
    ledger.tasks().save_totals(id, 100, 1000, false);
    ledger.tasks().save_progress(id, 50, 500, 50);
    scan = latest(of(alice));
    BOOST_TEST((scan.phase == ScanPhase::Running));
    BOOST_TEST(scan.percent == 0U);  // the total is not known yet

    ledger.tasks().save_totals(id, 300, 3000, true);
    ledger.tasks().save_progress(id, 199, 500, 50);
    BOOST_TEST(latest(of(alice)).percent == 66U);
    ledger.tasks().save_progress(id, 300, 3000, 300);
    BOOST_TEST(latest(of(alice)).percent == 99U);
    // A scan that waits for its next turn still counts as running.
    ledger.tasks().requeue(id, false, "the scanner is starting");
    BOOST_TEST((latest(of(alice)).phase == ScanPhase::Running));

    ledger.finds().complete_scan(id, 300, 300, 0);
    scan = latest(of(alice));
    BOOST_TEST((scan.phase == ScanPhase::Completed));
    BOOST_TEST(scan.percent == 100U);
    BOOST_TEST(scan.ended_ms >= scan.created_ms);
    BOOST_TEST(scan.id == task_id);
}

BOOST_AUTO_TEST_CASE(a_scan_that_ended_early_is_not_complete) {
    const auto id = begin(alice);
    ledger.tasks().end(id, Outcome::EndedEarly, "it was no good");
    const auto scan = latest(of(alice));
    BOOST_TEST((scan.phase == ScanPhase::EndedEarly));
    BOOST_TEST(scan.percent == 100U);
}

BOOST_AUTO_TEST_CASE(the_risk_is_the_highest_of_all_that_was_found) {
    const auto id = begin(alice);
    BOOST_TEST((latest(of(alice)).risk == RiskLevel::None));
    find_virus(id, "/a", "PUA.Win.Tool");
    BOOST_TEST((latest(of(alice)).risk == RiskLevel::Low));
    find_virus(id, "/b", "Heuristics.Phishing");
    BOOST_TEST((latest(of(alice)).risk == RiskLevel::Medium));
    find_virus(id, "/c", "Eicar-Test-Signature");
    find_virus(id, "/d", "PUA.Win.Tool");
    BOOST_TEST((latest(of(alice)).risk == RiskLevel::High));
    BOOST_TEST(latest(of(alice)).infected_files == 4U);
    // Disinfecting a file does not change what was found.
    ledger.finds().leave_list(alice, "/c");
    BOOST_TEST((latest(of(alice)).risk == RiskLevel::High));
    BOOST_TEST(latest(of(alice)).infected_files == 4U);
}

BOOST_AUTO_TEST_CASE(an_account_sees_only_its_own_scans) {
    complete(begin(alice));
    const auto of_bob = begin(bob);
    find_virus(of_bob, "/home/bob/x", "V");
    BOOST_TEST(latest(of(alice)).infected_files == 0U);
    BOOST_TEST(history.tasks(of(alice), {}, 0, 10).total == 1U);
    BOOST_TEST(history.events(of(alice), 0, 10, 1'000'000).total == 0U);
    // Until the first system scan, the host's scans are those of all accounts.
    BOOST_TEST(latest(host).infected_files == 1U);
    BOOST_TEST(history.tasks(host, {}, 0, 10).total == 2U);
    BOOST_TEST(history.events(host, 0, 10, 1'000'000).events.at(0).path == "/home/bob/x");
}

BOOST_AUTO_TEST_CASE(lists_pages_with_the_latest_first) {
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        complete(begin(alice, ScanType::Home, i % 2 == 1));
        ids.insert(ids.begin(), latest(of(alice)).id);
    }
    const auto page = history.tasks(of(alice), {}, 2, 2);
    BOOST_TEST(page.total == 5U);
    BOOST_REQUIRE(page.tasks.size() == 2U);
    BOOST_TEST(page.tasks[0].id == ids[2]);
    BOOST_TEST(page.tasks[1].id == ids[3]);
    BOOST_TEST(history.tasks(of(alice), {}, 5, 2).tasks.empty());

    const auto count = [&](auto change) {
        ScanFilter filter;
        change(filter);
        const auto found = history.tasks(of(alice), filter, 0, 10);
        BOOST_TEST(found.total == found.tasks.size());
        return found.total;
    };
    BOOST_TEST(count([](auto& filter) { filter.system = 1; }) == 2U);
    BOOST_TEST(count([](auto& filter) { filter.system = 0; }) == 3U);
    BOOST_TEST(count([&](auto& filter) { filter.task_id = ids[1]; }) == 1U);
    BOOST_TEST(count([](auto& filter) { filter.task_id = "none"; }) == 0U);
    BOOST_TEST(count([](auto& filter) { filter.phases = 1U << 2; }) == 5U);
    BOOST_TEST(count([](auto& filter) { filter.phases = 1U << 0 | 1U << 1 | 1U << 3; }) == 0U);
    BOOST_TEST(count([](auto& filter) { filter.created_from_ms = now_ms() + 1000; }) == 0U);
    BOOST_TEST(count([](auto& filter) { filter.ended_until_ms = 1; }) == 0U);
}

// Scans are counted in blocks, so that a page deep in the history is found without passing all others.
BOOST_AUTO_TEST_CASE(a_long_history_has_the_same_pages_as_a_short_one) {
    constexpr std::size_t many = 2500;
    for (std::size_t i = 0; i < many; ++i) {
        const auto id = begin(i % 4 == 0 ? bob : alice, ScanType::Home, i % 3 == 0);
        ledger.tasks().end(id, i % 5 == 0 ? Outcome::Cancelled : Outcome::Completed, "");
    }
    begin(alice);
    const auto check = [&] {
        for (const auto scope : {of(alice), of(bob), host}) {
            const auto all = history.tasks(scope, {}, 0, 2 * many).tasks;
            BOOST_REQUIRE(all.size() > 3U);
            std::vector<ScanFilter> filters(5);
            filters[1].system = 1;
            filters[2].phases = 1U << static_cast<unsigned>(ScanPhase::EndedEarly);
            filters[3].created_from_ms = all[all.size() / 3].created_ms;
            filters[4].ended_until_ms = all[all.size() / 2].ended_ms;
            filters[4].system = 0;
            for (const auto& filter : filters) {
                std::vector<std::string> wanted;
                for (const auto& task : all)
                    if ((filter.system == 2 || task.system == (filter.system == 1)) &&
                        (filter.phases >> static_cast<unsigned>(task.phase) & 1) != 0 &&
                        task.created_ms >= filter.created_from_ms && task.ended_ms <= filter.ended_until_ms)
                        wanted.push_back(task.id);
                for (const std::size_t offset : {std::size_t{0}, std::size_t{7}, wanted.size() / 2, wanted.size()}) {
                    const auto page = history.tasks(scope, filter, offset, 300);
                    BOOST_TEST(page.total == wanted.size());
                    BOOST_REQUIRE(page.tasks.size() ==
                                  std::min<std::size_t>(300, wanted.size() - std::min(offset, wanted.size())));
                    for (std::size_t i = 0; i < page.tasks.size(); ++i)
                        BOOST_REQUIRE(page.tasks[i].id == wanted[offset + i]);
                }
            }
        }
    };
    check();
    // And when some of them are forgotten.
    for (int i = 0; i < 60; ++i) static_cast<void>(ledger.prune(INT64_MAX, INT64_MAX));
    check();
}

BOOST_AUTO_TEST_CASE(lists_finds_in_pages) {
    const auto id = begin(alice);
    for (int i = 0; i < 5; ++i) find_virus(id, "/home/alice/" + std::to_string(i), "V");
    const auto events = history.events(of(alice), 1, 3, 1'000'000);
    BOOST_TEST(events.total == 5U);
    BOOST_REQUIRE(events.events.size() == 3U);
    BOOST_TEST(events.events[0].path == "/home/alice/1");
    BOOST_TEST(events.events[0].virus == "V");
    BOOST_TEST(events.events[0].found_ms > 0);
    BOOST_TEST(history.events(of(alice), 0, 3, 100).events.size() < 3U);
}

BOOST_AUTO_TEST_CASE(a_host_keeps_its_name_and_number) {
    const auto statistics = history.statistics(host);
    BOOST_TEST(!statistics.host.name.empty());
    BOOST_TEST(statistics.host.uuid.size() == 36U);
    BOOST_TEST(ScanHistory(ledger, settings).statistics(host).host.uuid == statistics.host.uuid);
}

// ---- System scans

BOOST_AUTO_TEST_CASE(a_system_scan_is_one_task_with_a_job_for_each_account) {
    complete(begin(alice));
    const auto scan = history.begin_system_scan({2001, 2002, 2001, 2003}).value();
    BOOST_TEST(!history.begin_system_scan({2001}).has_value());
    auto seen = latest(host);
    BOOST_TEST(seen.system);
    BOOST_TEST(seen.paths.empty());
    BOOST_TEST((seen.phase == ScanPhase::Queued));
    const auto id = seen.id;

    const std::vector<uid_t> all = {2001, 2002, 2003};
    BOOST_TEST(history.waiting_accounts(scan, 0, 10) == all, boost::test_tools::per_element());
    BOOST_TEST(history.waiting_accounts(scan, 2001, 1).at(0) == 2002U);
    const auto of_alice = history.queue_job(scan, 2001, alice).value();
    BOOST_TEST(history.waiting_accounts(scan, 0, 10).size() == 2U);
    const auto own_of_bob = begin(bob);
    BOOST_TEST(!history.queue_job(scan, 2002, bob).has_value());  // busy with its own
    BOOST_TEST(history.waiting_accounts(scan, 0, 10).size() == 2U);
    complete(own_of_bob);
    const auto of_bob = history.queue_job(scan, 2002, bob).value();
    BOOST_TEST(history.is_waiting(scan, 2003));
    static_cast<void>(history.queue_job(scan, 2003, carol));
    BOOST_TEST(!history.is_waiting(scan, 2003));
    BOOST_TEST(history.waiting_accounts(scan, 0, 10).empty());
    BOOST_TEST(history.unfinished_jobs(scan) == 3U);

    ledger.tasks().begin(of_alice);
    BOOST_TEST(history.unfinished_jobs(scan, now_ms() + 1000) == 2U);  // all but the slow one
    find_virus(of_alice, "/home/alice/x", "PUA.X");
    complete(of_alice);
    seen = latest(host);
    BOOST_TEST((seen.phase == ScanPhase::Running));
    BOOST_TEST(seen.percent == 33U);
    BOOST_TEST(seen.infected_files == 1U);
    BOOST_TEST((seen.risk == RiskLevel::Low));
    // The account's own view of its part.
    BOOST_TEST(latest(of(alice)).system);
    BOOST_TEST(latest(of(alice)).id != id);

    ledger.tasks().begin(of_bob);
    complete(of_bob);
    complete(ledger.tasks().active(carol)->id);
    BOOST_TEST(history.unfinished_jobs(scan) == 0U);
    history.end_system_scan(scan);
    seen = latest(host);
    BOOST_TEST((seen.phase == ScanPhase::Completed));
    BOOST_TEST(seen.percent == 100U);
    BOOST_TEST(seen.infected_files == 1U);
    BOOST_TEST(seen.id == id);
    BOOST_TEST(!history.open_system_scan().has_value());
    BOOST_TEST(history.events(host, 0, 10, 1'000'000).events.at(0).path == "/home/alice/x");
    // A later scan of an account is not the host's latest, and prunes nothing of it.
    complete(begin(alice));
    complete(begin(alice));
    while (ledger.prune(0, 0)) {
    }
    BOOST_TEST(latest(host).id == id);
    BOOST_TEST(history.tasks(host, {}, 0, 10).total == 1U);
    BOOST_TEST(history.events(host, 0, 10, 1'000'000).total == 1U);
    BOOST_TEST(history.events(host, 0, 10, 1'000'000).events.size() == 1U);
    // The next system scan does.
    static_cast<void>(history.begin_system_scan({2001}));
    while (ledger.prune(0, 0)) {
    }
    BOOST_TEST(ledger.finds().finds_after(of_alice, 0, 10).empty());
}

BOOST_AUTO_TEST_CASE(one_job_that_ended_early_leaves_the_host_incomplete) {
    const auto scan = history.begin_system_scan({2001}).value();
    ledger.tasks().end(history.queue_job(scan, 2001, alice).value(), Outcome::EndedEarly, "no");
    history.end_system_scan(scan);
    BOOST_TEST((latest(host).phase == ScanPhase::EndedEarly));
}

BOOST_AUTO_TEST_CASE(an_account_left_out_leaves_the_host_incomplete) {
    const auto scan = history.begin_system_scan({2001, 2002}).value();
    const auto of_alice = history.queue_job(scan, 2001, alice).value();
    complete(of_alice);
    history.leave_out(scan, 2002);
    history.end_system_scan(scan);
    BOOST_TEST((latest(host).phase == ScanPhase::EndedEarly));
    // A system scan of no accounts has shown nothing.
    const auto empty = history.begin_system_scan({2001}).value();
    history.leave_out(empty, 2001);
    history.end_system_scan(empty);
    BOOST_TEST((latest(host).phase == ScanPhase::EndedEarly));
}

BOOST_AUTO_TEST_CASE(a_system_scan_resumes_after_a_restart) {
    const auto scan = history.begin_system_scan({2001, 2002}).value();
    static_cast<void>(history.queue_job(scan, 2001, alice));
    ledger.commit();
    Ledger again(directory.path + "/jobs.sqlite");
    ScanHistory after(again, settings);
    BOOST_TEST((after.open_system_scan() == scan));
    BOOST_TEST(after.waiting_accounts(scan, 0, 10).at(0) == 2002U);
    BOOST_TEST(after.unfinished_jobs(scan) == 1U);
}

// Rows are deleted when their scan is superseded, so the highest number may be free again.
BOOST_AUTO_TEST_CASE(the_id_of_an_event_is_never_used_again) {
    std::set<std::uint64_t> ids;
    for (int i = 0; i < 3; ++i) {
        const auto scan = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.tasks().begin(scan);
        ledger.finds().add_infected(scan, 1, "/home/alice/" + std::to_string(i), "Eicar", {});
        ledger.finds().complete_scan(scan, 1, 0, 0);
        for (const auto& event : history.events(of(alice), 0, 10, 1'000'000).events)
            BOOST_TEST(ids.insert(event.id).second, event.id);
        // The next scan takes this one's place before it finds anything.
        const auto empty = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.finds().complete_scan(empty, 0, 0, 0);
        while (ledger.prune(0, 0)) {
        }
    }
    BOOST_TEST(ids.size() == 3U);
}

BOOST_AUTO_TEST_CASE(an_accounts_own_trail_says_who_asked) {
    const auto first = begin(alice);
    ledger.note_asked(first, {AskedBy::Token, "ci", "192.0.2.1"});
    find_virus(first, "/home/alice/x", "X");
    ledger.finds().add_unscanned(first, 1, "/home/alice/u", UnscannedReason::Encrypted, std::nullopt);
    complete(first);
    begin(bob);
    const auto scan = history.begin_system_scan({2001}).value();
    ledger.history().set_asker_of_system_scan(scan, AskedBy::Schedule);
    const auto second = history.queue_job(scan, 2001, alice).value();

    BOOST_TEST((ledger.take_asked() == std::vector<TaskId>{first}));
    BOOST_TEST(ledger.take_asked().empty());
    const auto ended = ledger.tasks().take_ended();
    BOOST_REQUIRE(ended.size() == 1U);
    BOOST_TEST(ended[0].task.id == first);
    BOOST_TEST(ended[0].account.name == "alice");

    const auto all = ledger.history().of_account(alice, 0);
    BOOST_REQUIRE(all.entries.size() == 2U);
    BOOST_TEST(all.next == 0U);
    const auto& latest = all.entries[0];
    BOOST_TEST(latest.id == static_cast<std::uint64_t>(second));
    BOOST_TEST((latest.asker.by == AskedBy::Schedule));
    BOOST_TEST((latest.phase == TaskPhase::Queued));
    const auto& earlier = all.entries[1];
    BOOST_TEST(earlier.asker.which == "ci");
    BOOST_TEST(earlier.asker.from == "192.0.2.1");
    BOOST_TEST((earlier.phase == TaskPhase::Completed));
    BOOST_TEST(earlier.infected == 1U);
    BOOST_TEST(earlier.unscanned == 1U);

    const auto piece = ledger.history().of_account(alice, 0, 1);
    BOOST_TEST(piece.next == latest.id);
    BOOST_TEST(ledger.history().of_account(alice, piece.next, 1).entries[0].id == earlier.id);
    BOOST_TEST(!ledger.history().of_task(ledger.tasks().queue(carol, TaskKind::Preparation).value()));
}

BOOST_AUTO_TEST_CASE(a_scan_of_all_accounts_sums_what_was_not_scanned_by_reason) {
    const auto scan = history.begin_system_scan({2001, 2002}).value();
    for (const auto& [uid, account] : {std::pair<uid_t, AccountId>{2001, alice}, {2002, bob}}) {
        const auto job = history.queue_job(scan, uid, account).value();
        ledger.tasks().begin(job);
        ledger.finds().add_unscanned(job, 1, "/home/x/u", UnscannedReason::Encrypted, std::nullopt);
        if (uid == 2001) ledger.finds().add_unscanned(job, 1, "/home/x/v", UnscannedReason::TooLarge, std::nullopt);
        complete(job);
    }
    const auto progress = history.system_scan_progress();
    BOOST_REQUIRE(progress.by_reason.size() == 2U);
    BOOST_TEST((progress.by_reason[0].reason == UnscannedReason::TooLarge));
    BOOST_TEST(progress.by_reason[0].files == 1U);
    BOOST_TEST(progress.by_reason[1].files == 2U);
}

BOOST_AUTO_TEST_CASE(finds_of_all_accounts_are_those_of_their_last_scans_that_are_there_still) {
    const auto earlier = begin(alice);
    find_virus(earlier, "/home/alice/old", "X");
    complete(earlier);
    const auto last = begin(alice);
    find_virus(last, "/home/alice/a", "X");
    find_virus(last, "/home/alice/b", "Y");
    find_virus(last, "/home/alice/gone", "X");
    complete(last);
    ledger.finds().leave_list(alice, "/home/alice/gone");
    const auto other = begin(bob);
    find_virus(other, "/home/bob/c", "X");
    complete(other);
    const auto paths_by = [&](const std::string& signature, std::size_t limit) {
        std::vector<std::string> paths;
        AllFinds piece;
        do {
            piece = ledger.finds().all_finds(piece.next, signature, limit);
            for (const auto& find : piece.finds) paths.push_back(find.name + " " + find.path);
        } while (piece.next != 0);
        return paths;
    };
    for (const std::size_t limit : {1, 2, 100}) {
        BOOST_TEST((paths_by("X", limit) == std::vector<std::string>{"alice /home/alice/a", "bob /home/bob/c"}));
        BOOST_TEST((paths_by("", limit) ==
                    std::vector<std::string>{"alice /home/alice/a", "alice /home/alice/b", "bob /home/bob/c"}));
    }
    std::uint64_t after = 0;
    const auto is_x = [](const std::string& signature) { return signature == "X"; };
    BOOST_TEST((ledger.finds().paths_of(alice, is_x, after, 100) == std::vector<std::string>{"/home/alice/a"}));
    BOOST_TEST(after == 0U);
    BOOST_TEST(ledger.finds().paths_of(alice, is_x, after, 1).size() == 1U);
    BOOST_TEST(after != 0U);
}

BOOST_AUTO_TEST_SUITE_END()
