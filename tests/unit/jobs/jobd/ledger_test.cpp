#include "jobs/jobd/ledger.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/queued_tasks.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

struct OpenLedger {
    OpenLedger() : ledger(place.path + "/jobs.sqlite") {}

    // As after a SIGKILL: uncommitted changes are lost, and the next start recovers.
    Ledger reopened() { return Ledger(place.path + "/jobs.sqlite"); }
    TaskId completed_scan(const std::vector<std::string>& infected) {
        const TaskId scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
        ledger.tasks().begin(scan);
        for (const auto& path : infected) ledger.finds().add_infected(scan, 1, path, "Eicar", "e1c4");
        ledger.finds().complete_scan(scan, infected.size(), 0, 0);
        return scan;
    }
    std::vector<PlannedAction> resolve(std::vector<FileAction> asked) {
        std::vector<PlannedAction> planned;
        BOOST_TEST(!ledger.finds().resolve(account, facts.home, std::move(asked), planned).has_value());
        return planned;
    }

    TemporaryDirectory place;
    Ledger ledger;
    AccountFacts facts{1001, "alice", "/home/alice", 11, 22, 33};
    AccountId account = ledger.tasks().account_of(facts);
};

BOOST_FIXTURE_TEST_SUITE(ledger, OpenLedger)

BOOST_AUTO_TEST_CASE(an_account_has_one_job_at_a_time) {
    const auto first = ledger.tasks().queue_scan(account, ScanType::Home, false);
    BOOST_REQUIRE(first.has_value());
    BOOST_TEST(!ledger.tasks().queue_scan(account, ScanType::Mail, false).has_value());
    BOOST_TEST(!queue_disinfection(ledger, account, {}).has_value());
    ledger.tasks().end(*first, Outcome::Completed, "");
    BOOST_TEST(ledger.tasks().queue_scan(account, ScanType::Mail, false).has_value());
}

BOOST_AUTO_TEST_CASE(a_uid_with_another_home_is_another_account_and_sees_nothing) {
    completed_scan({"/home/alice/virus"});
    AccountFacts heir = facts;
    heir.inode = 23;
    const auto other = ledger.tasks().account_of(heir);
    BOOST_TEST(other != account);
    BOOST_TEST(!ledger.tasks().last(other, TaskKind::Scan).has_value());
    BOOST_TEST(ledger.tasks().account_of(facts) == account);
}

BOOST_AUTO_TEST_CASE(only_committed_changes_survive) {
    const auto scan = ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.commit();
    ledger.finds().add_infected(*scan, 1, "/home/alice/virus", "Eicar", "e1c4");
    const TaskId seen = [&] {
        // A second connection sees what a restarted jobd would.
        Database other(place.path + "/jobs.sqlite");
        std::int64_t finds = -1;
        Statement(other.handle(), "SELECT count(*) FROM find").each([&](Row row) {
            finds = row.number(0);
            return false;
        });
        BOOST_TEST(finds == 0);
        ledger.commit();
        Statement(other.handle(), "SELECT count(*) FROM find").each([&](Row row) {
            finds = row.number(0);
            return false;
        });
        BOOST_TEST(finds == 1);
        return *scan;
    }();
    BOOST_TEST(seen == *scan);
}

BOOST_AUTO_TEST_CASE(a_task_that_ran_at_a_crash_is_queued_again) {
    const auto scan = ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().begin(*scan);
    ledger.commit();
    auto restarted = reopened();
    const auto queued = restarted.tasks().queued();
    BOOST_REQUIRE(queued.size() == 1U);
    BOOST_TEST(queued[0].task.id == *scan);
    BOOST_TEST(queued[0].task.starts == 1U);
    BOOST_TEST((queued[0].account == facts));
}

BOOST_AUTO_TEST_CASE(totals_and_progress_never_fall) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().save_totals(scan, 100, 1000, true);
    ledger.tasks().save_totals(scan, 50, 500, false);
    ledger.tasks().save_progress(scan, 40, 400, 10);
    ledger.tasks().save_progress(scan, 5, 50, 1);
    const auto task = ledger.tasks().get(scan);
    BOOST_TEST(task.total_files == 100U);
    BOOST_TEST(task.total_bytes == 1000U);
    BOOST_TEST(task.scanned_files == 40U);
}

BOOST_AUTO_TEST_CASE(sums_of_bytes_do_not_become_negative) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().save_totals(scan, 2, UINT64_MAX, true);
    ledger.tasks().save_progress(scan, 2, 1ULL << 63, 0);
    ledger.tasks().settle(scan, {2, UINT64_MAX - 1, 0, 0});
    const auto task = ledger.tasks().get(scan);
    BOOST_TEST(task.total_bytes == std::uint64_t{INT64_MAX});
    BOOST_TEST(task.scanned_bytes == std::uint64_t{INT64_MAX});
    BOOST_TEST(task.settled.bytes == std::uint64_t{INT64_MAX});
}

BOOST_AUTO_TEST_CASE(verdicts_add_up_after_an_interrupted_start) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().begin(scan);
    ledger.finds().add_infected(scan, 1, "/home/alice/virus", "Eicar", "e1c4");
    ledger.finds().add_unscanned(scan, 1, "/home/alice/gone", UnscannedReason::Unreadable, std::nullopt);
    ledger.finds().add_unscanned(scan, 1, "/home/alice/still", UnscannedReason::Unreadable, std::nullopt);
    ledger.tasks().requeue(scan, false, "");
    ledger.tasks().begin(scan);
    ledger.finds().add_infected(scan, 2, "/home/alice/virus", "Eicar", "e1c4");
    ledger.finds().add_unscanned(scan, 2, "/home/alice/still", UnscannedReason::TimeLimit, std::nullopt);
    while (ledger.finds().forget_earlier(scan, 2)) {
    }
    ledger.finds().complete_scan(scan, 5, 3, 0);
    const auto task = ledger.tasks().get(scan);
    BOOST_TEST(task.infected_files == 1U);
    BOOST_TEST(task.unscanned_files == 1U);
    BOOST_TEST(task.clean_files + task.infected_files + task.unscanned_files == task.total_files);
    BOOST_TEST(task.scanned_files == task.total_files);
    const auto counts = ledger.tasks().unscanned_counts(scan);
    BOOST_TEST(counts.size() == 1U);
    BOOST_TEST(counts.at(UnscannedReason::TimeLimit) == 1U);
}

BOOST_AUTO_TEST_CASE(the_last_report_decides_whether_a_find_is_known) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().begin(scan);
    const auto find = [&](const char* path, bool known) {
        ledger.finds().add_infected(scan, 1, path, "Eicar", {}, known);
        return ledger.tasks().get(scan).known_infected;
    };
    BOOST_TEST(find("/home/alice/a", true) == 1U);
    BOOST_TEST(find("/home/alice/a", true) == 1U);
    BOOST_TEST(find("/home/alice/b", true) == 2U);
    BOOST_TEST(find("/home/alice/a", false) == 1U);
    ledger.finds().complete_scan(scan, 2, 0, 0);
    BOOST_TEST(ledger.tasks().get(scan).known_infected == 1U);
}

BOOST_AUTO_TEST_CASE(the_count_of_clean_files_in_quarantine_follows_each_change) {
    auto& quarantine = ledger.quarantine();
    const auto expect = [&](std::uint64_t clean) {
        BOOST_TEST(quarantine.count_clean(account) == clean);
        ledger.commit();
        BOOST_TEST(reopened().quarantine().count_clean(account) == clean);
    };
    PlannedAction file;
    for (const char* opaque : {"one", "two"}) {
        file.opaque = opaque;
        quarantine.add(account, file, 1, 1);
    }
    expect(0);
    quarantine.set_clean(account, "one", true);
    quarantine.set_clean(account, "one", true);
    quarantine.set_clean(account, "two", true);
    quarantine.set_clean(account, "nobody's", true);
    expect(2);
    quarantine.set_clean(account, "two", false);
    expect(1);
    quarantine.forget(account, "two");
    expect(1);
    quarantine.forget(account, "one");
    quarantine.forget(account, "one");
    expect(0);
}

BOOST_AUTO_TEST_CASE(a_scan_resumes_after_the_settled_files) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().begin(scan);
    ledger.finds().begin_list(scan, 1, false);
    ledger.finds().add_unscanned(scan, 1, "/home/alice/closed/", UnscannedReason::Unreadable, std::nullopt);
    ledger.tasks().keep_list(scan, 4000, 1);
    ledger.finds().add_unscanned(scan, 1, "/home/alice/third", UnscannedReason::TimeLimit, 2);
    ledger.finds().add_unscanned(scan, 1, "/home/alice/ninth", UnscannedReason::TimeLimit, 8);
    ledger.tasks().save_progress(scan, 10, 100, 7);
    ledger.tasks().settle(scan, {5, 50, 4, 3});
    ledger.tasks().requeue(scan, false, "others have their turn");
    ledger.commit();
    auto later = reopened();
    later.tasks().begin(scan);
    const auto task = later.tasks().get(scan);
    BOOST_TEST((task.settled == Settled{5, 50, 4, 3}));
    BOOST_TEST(task.list_bytes == 4000U);
    BOOST_TEST(task.walk_unreadable == 1U);
    BOOST_TEST(task.walk_start == 1U);
    BOOST_TEST(task.attempts == 0U);
    while (later.finds().forget_unsettled(scan)) {
    }
    BOOST_TEST(later.tasks().get(scan).unscanned_files == 2U);
    // Entries that the walk could not read stay recorded, because there is no second walk.
    later.finds().complete_scan(scan, 11, 9, 3);
    BOOST_TEST(later.tasks().get(scan).known_files == 3U);
    const auto done = later.tasks().get(scan);
    BOOST_TEST(done.total_files == 11U);
    BOOST_TEST(done.clean_files + done.infected_files + done.unscanned_files == done.total_files);
}

BOOST_AUTO_TEST_CASE(in_a_new_list_nothing_is_settled) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.finds().begin_list(scan, 1, false);
    ledger.tasks().keep_list(scan, 4000, 1);
    ledger.tasks().settle(scan, {5, 50, 4, 3});
    ledger.finds().begin_list(scan, 2, false);
    const auto task = ledger.tasks().get(scan);
    BOOST_TEST((task.settled == Settled{}));
    BOOST_TEST(task.list_bytes == 0U);
    BOOST_TEST(task.walk_unreadable == 0U);
    BOOST_TEST(task.walk_start == 2U);
}

BOOST_AUTO_TEST_CASE(starts_without_progress_are_counted_until_one_makes_progress) {
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    for (std::uint32_t i = 1; i <= 2; ++i) {
        ledger.tasks().begin(scan);
        ledger.tasks().requeue(scan, true, "it was killed");
        BOOST_TEST(ledger.tasks().get(scan).attempts == i);
    }
    ledger.tasks().begin(scan);
    ledger.tasks().save_progress(scan, 10, 10, 10);
    ledger.tasks().requeue(scan, true, "it was killed");
    BOOST_TEST(ledger.tasks().get(scan).attempts == 0U);
}

BOOST_AUTO_TEST_CASE(a_path_without_its_slash_is_resolved_from_the_root_and_then_the_home) {
    completed_scan({"/home/alice/a", "/home/alice/home/alice/b"});
    auto planned = resolve({{"home/alice/a", Action::Delete}, {"home/alice/b", Action::Ignore}, {"c", Action::Delete}});
    BOOST_REQUIRE(planned.size() == 3U);
    BOOST_TEST(planned[0].path == "/home/alice/a");
    BOOST_TEST(planned[0].listed);
    BOOST_TEST(planned[1].path == "/home/alice/home/alice/b");
    BOOST_TEST(planned[1].listed);
    BOOST_TEST(planned[2].path == "c");
    BOOST_TEST(!planned[2].listed);
}

BOOST_AUTO_TEST_CASE(two_names_of_one_file_with_different_actions_are_a_conflict) {
    completed_scan({"/home/alice/a"});
    std::vector<PlannedAction> planned;
    const auto conflict = ledger.finds().resolve(account, facts.home,
                                                 {{"/home/alice/a", Action::Delete}, {"a", Action::Ignore}}, planned);
    BOOST_REQUIRE(conflict.has_value());
    BOOST_TEST(conflict->first == "/home/alice/a");
    BOOST_TEST(conflict->second == "a");
    BOOST_TEST(resolve({{"/home/alice/a", Action::Delete}, {"a", Action::Delete}}).size() == 1U);
}

BOOST_AUTO_TEST_CASE(records_are_numbered_without_gaps_and_end_with_done) {
    completed_scan({"/home/alice/a", "/home/alice/b"});
    const auto task = *queue_disinfection(
        ledger, account, resolve({{"/home/alice/a", Action::Delete}, {"/home/alice/b", Action::Ignore}}));
    while (const auto action = ledger.records().next_action(task))
        ledger.records().record_step(task, *action, RecordState::Deleted, "");
    ledger.records().record_issue(task, RecordState::Warning, "the log is incomplete");
    ledger.records().record_done(task, RecordState::Success, "2 deleted", Outcome::Completed);
    const auto records = ledger.records().records_after(task, 0, answer_budget, 100).records;
    BOOST_REQUIRE(records.size() == 4U);
    for (std::size_t i = 0; i < records.size(); ++i) BOOST_TEST(records[i].id == i + 1);
    BOOST_TEST((records.back().type == RecordType::Done));
    BOOST_TEST((ledger.tasks().get(task).state == TaskState::Ended));
    BOOST_TEST(ledger.records().records_after(task, 3, answer_budget, 100).records.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_complete_intent_survives_a_crash) {
    completed_scan({"/home/alice/a"});
    const auto task = *queue_disinfection(ledger, account, resolve({{"/home/alice/a", Action::Quarantine}}));
    auto action = *ledger.records().next_action(task);
    BOOST_TEST(!action.intended);
    action.opaque = "0123456789abcdef0123456789abcdef";
    action.identity = {5, 6, 7, -8};
    action.sha256 = std::string(64, 'a');
    action.virus = "Eicar";
    action.metadata.mode = 0640;
    action.metadata.attributes = {{"user.note", std::string("a\0b", 3)}};
    ledger.records().intend(task, action);
    ledger.commit();
    auto restarted = reopened();
    const auto found = restarted.records().next_action(task);
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->intended);
    BOOST_TEST(found->opaque == action.opaque);
    BOOST_TEST((found->identity == action.identity));
    BOOST_TEST(found->metadata.mode == 0640U);
    BOOST_REQUIRE(found->metadata.attributes.size() == 1U);
    BOOST_TEST(found->metadata.attributes[0].value == std::string("a\0b", 3));
}

BOOST_AUTO_TEST_CASE(a_file_that_left_the_list_still_counts_as_found) {
    const auto scan = completed_scan({"/home/alice/a", "/home/alice/b"});
    ledger.finds().leave_list(account, "/home/alice/a");
    BOOST_TEST(ledger.finds().infected_files(scan, 0, answer_budget, true).files.size() == 2U);
    const auto listed = ledger.finds().infected_files(scan, 0, answer_budget).files;
    BOOST_REQUIRE(listed.size() == 1U);
    BOOST_TEST(listed[0].path == "/home/alice/b");
}

BOOST_AUTO_TEST_CASE(size_and_times_of_a_find_are_listed) {
    const TaskId scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    ledger.tasks().begin(scan);
    const FindFacts facts{68, 1'000'001, 3'000'003, 2'000'002};
    ledger.finds().add_infected(scan, 1, "/home/alice/known", "Eicar", "e1c4", false, std::nullopt, facts);
    const auto before = now_ms();
    ledger.finds().add_infected(scan, 1, "/home/alice/unknown", "Eicar", "e1c4");
    for (const bool with_gone : {false, true}) {
        const auto listed = ledger.finds().infected_files(scan, 0, answer_budget, with_gone).files;
        BOOST_REQUIRE(listed.size() == 2U);
        BOOST_TEST((listed[0].facts == facts));
        BOOST_TEST(listed[1].facts.size == FindFacts::unknown_size);
        BOOST_TEST(listed[1].facts.changed_ms == 0);
        BOOST_TEST(listed[1].facts.found_ms >= before);
        BOOST_TEST(listed[1].facts.first_ms == 0);
    }
    auto& finds = ledger.finds();
    BOOST_TEST(finds.first_found_in(scan, {"/home/alice/known", "Eicar", "e1c4"}).value() == 2'000'002);
    BOOST_TEST(finds.first_found_in(scan, {"/home/alice/unknown", "Eicar", "e1c4"}).value() == 0);
    BOOST_TEST(!finds.first_found_in(scan, {"/home/alice/known", "Eicar", "e1c5"}).has_value());
    BOOST_TEST(!finds.first_found_in(scan, {"/home/alice/known", "Eicar", ""}).has_value());
    BOOST_TEST(!finds.first_found_in(scan + 1, {"/home/alice/known", "Eicar", "e1c4"}).has_value());
    const auto of_all = ledger.finds().all_finds(0, "", 100).finds;
    BOOST_REQUIRE(of_all.size() == 2U);
    BOOST_TEST(of_all[0].path == "/home/alice/known");
    BOOST_TEST(of_all[0].name == "alice");
    BOOST_TEST((of_all[0].facts == facts));
    // Scanned again after an interruption, it is as it is by then; an empty file has a size, too.
    const FindFacts now{0, 4'000'004, 5'000'005, 0};
    ledger.finds().add_infected(scan, 2, "/home/alice/known", "Eicar", "e1c5", false, std::nullopt, now);
    BOOST_TEST((ledger.finds().infected_files(scan, 0, answer_budget).files[0].facts == now));
}

BOOST_AUTO_TEST_CASE(what_is_unknown_of_a_find_is_no_number) {
    BOOST_TEST(size_text({}).empty());
    BOOST_TEST(size_text({0}) == "0");
    BOOST_TEST(size_text({INT64_MAX}) == "9223372036854775807");
    BOOST_TEST(seconds_text(0).empty());
    BOOST_TEST(seconds_text(INT64_MIN).empty());
    BOOST_TEST(seconds_text(1999) == "1");
}

BOOST_AUTO_TEST_CASE(a_list_comes_in_pieces_without_gap_or_repetition) {
    const auto scan = completed_scan({"/home/alice/a", "/home/alice/b", "/home/alice/c"});
    std::vector<std::string> paths;
    std::int64_t after = 0;
    int pieces = 0;
    do {
        const auto listed = ledger.finds().infected_files(scan, after, 250);
        for (const auto& file : listed.files) paths.push_back(file.path);
        after = listed.next;
        ++pieces;
    } while (after != 0 && pieces < 10);
    BOOST_TEST(paths == (std::vector<std::string>{"/home/alice/a", "/home/alice/b", "/home/alice/c"}),
               boost::test_tools::per_element());
    BOOST_TEST(pieces > 1);
    // An entry that is larger than a piece may be is one.
    const auto first = ledger.finds().infected_files(scan, 0, 1);
    BOOST_TEST(first.files.size() == 1U);
    BOOST_TEST(first.next != 0);
}

BOOST_AUTO_TEST_CASE(many_rows_are_forgotten_in_pieces) {
    constexpr std::uint64_t many = 1000;
    const auto scan = *ledger.tasks().queue_scan(account, ScanType::Home, false);
    for (std::uint64_t i = 0; i < many; ++i) {
        const auto name = "/home/alice/" + std::to_string(i);
        ledger.finds().add_unscanned(scan, 1, name, UnscannedReason::Unreadable, std::nullopt);
        ledger.finds().add_unscanned(scan, 2, name + "?", UnscannedReason::Unreadable, i);
        ledger.finds().add_infected(scan, 1, name + "!", "Eicar", {}, false, i);
    }
    int pieces = 0;
    while (ledger.finds().forget_earlier(scan, 2)) ++pieces;
    BOOST_TEST(pieces > 2);
    BOOST_TEST(ledger.tasks().get(scan).unscanned_files == many);
    BOOST_TEST(ledger.finds().count_placed(scan, 0, many) == many);
    while (ledger.finds().forget_unsettled(scan)) ++pieces;
    BOOST_TEST(ledger.finds().count_placed(scan, 0, many) == 0U);
    BOOST_TEST(pieces > 5);
    BOOST_TEST(ledger.tasks().get(scan).unscanned_files == 0U);
    BOOST_TEST(ledger.tasks().get(scan).infected_files == many);
}

BOOST_AUTO_TEST_CASE(a_preparation_that_was_not_finished_is_none_after_a_restart) {
    const auto id = ledger.tasks().queue(account, TaskKind::Preparation);
    ledger.records().add_actions(*id, resolve({{"/home/alice/a", Action::Delete}}));
    BOOST_TEST(!ledger.tasks().queue_scan(account, ScanType::Home, false).has_value());
    BOOST_TEST(!ledger.tasks().last(account, TaskKind::Disinfection).has_value());
    ledger.commit();
    auto later = reopened();
    BOOST_TEST(later.tasks().queued().empty());
    BOOST_TEST(!later.tasks().active(account).has_value());
    BOOST_TEST(!later.tasks().last(account, TaskKind::Disinfection).has_value());
    while (later.prune(INT64_MAX, INT64_MAX)) {
    }
    BOOST_TEST(!later.records().next_action(*id).has_value());
}

BOOST_AUTO_TEST_CASE(a_disinfection_is_there_as_a_whole_with_its_last_piece) {
    const auto id = *ledger.tasks().queue(account, TaskKind::Preparation);
    for (int i = 0; i < 2; ++i) ledger.records().add_actions(id, resolve({{"/a", Action::Delete}}));
    ledger.tasks().turn_into(id, TaskKind::Disinfection);
    BOOST_TEST(ledger.tasks().last(account, TaskKind::Disinfection)->id == id);
    const auto action = *ledger.records().next_action(id);
    BOOST_TEST(action.number == 1U);
    ledger.records().record_step(id, action, RecordState::Error, "");
    BOOST_TEST(ledger.records().next_action(id)->number == 2U);
}

// The cached facts that polls get must never be older than the last write.
BOOST_AUTO_TEST_CASE(the_cached_task_follows_every_change) {
    const auto id = ledger.tasks().queue_scan(account, ScanType::Home, false).value();
    const auto last = [&] { return ledger.tasks().last(account, TaskKind::Scan).value(); };
    BOOST_TEST((last().state == TaskState::Queued));
    ledger.tasks().begin(id);
    BOOST_TEST((last().state == TaskState::Running));
    ledger.tasks().set_signatures(id, true, "");
    BOOST_TEST(last().embedded_signatures);
    // A later turn with all signatures does not make good what an earlier one did without them.
    ledger.tasks().set_signatures(id, false, "");
    BOOST_TEST(last().embedded_signatures);
    // What was found with them is not in a new list; what this start has is what counts.
    ledger.finds().begin_list(id, 2, true);
    BOOST_TEST(last().embedded_signatures);
    ledger.finds().begin_list(id, 3, false);
    BOOST_TEST(!last().embedded_signatures);
    ledger.tasks().save_totals(id, 7, 700, true);
    BOOST_TEST(last().total_files == 7U);
    ledger.tasks().save_progress(id, 3, 300, 2);
    BOOST_TEST(last().scanned_files == 3U);
    BOOST_TEST(ledger.tasks().unscanned_counts(id).empty());
    ledger.finds().add_unscanned(id, 1, "/home/alice/u", UnscannedReason::Unreadable, std::nullopt);
    BOOST_TEST(ledger.tasks().unscanned_counts(id).size() == 1U);
    BOOST_TEST(last().unscanned_files == 1U);
    ledger.finds().add_infected(id, 1, "/home/alice/v", "Virus", "e1c4");
    BOOST_TEST(last().infected_files == 1U);
    ledger.tasks().set_why(id, "it waits");
    BOOST_TEST(last().why == "it waits");
    ledger.tasks().requeue(id, false, "again");
    BOOST_TEST((last().state == TaskState::Queued));
    ledger.tasks().begin(id);
    ledger.finds().complete_scan(id, 7, 5, 0);
    BOOST_TEST((last().state == TaskState::Ended));
    const auto next = ledger.tasks().queue_scan(account, ScanType::Home, false).value();
    BOOST_TEST(last().id == next);
    ledger.tasks().end(next, Outcome::EndedEarly, "why");
    BOOST_TEST(last().why == "why");
}

BOOST_AUTO_TEST_CASE(only_superseded_tasks_are_pruned) {
    const auto old_scan = completed_scan({"/home/alice/a"});
    const auto new_scan = completed_scan({"/home/alice/b"});
    while (ledger.prune(0, 0)) {
    }
    BOOST_TEST(ledger.finds().infected_files(old_scan, 0, answer_budget, true).files.empty());
    BOOST_TEST(ledger.finds().infected_files(new_scan, 0, answer_budget, true).files.size() == 1U);
    BOOST_TEST((ledger.tasks().get(old_scan).outcome == Outcome::Completed));
}

BOOST_AUTO_TEST_CASE(superseded_tasks_are_forgotten_after_a_while) {
    std::vector<TaskId> scans;
    for (int i = 0; i < 250; ++i) scans.push_back(completed_scan({"/home/alice/a"}));
    const auto in_a_minute = now_ms() + 60'000;
    const auto running = ledger.tasks().queue_scan(account, ScanType::Home, false).value();
    while (ledger.prune(now_ms() - 60'000, INT64_MAX)) {
    }
    BOOST_TEST(ledger.tasks().get(scans.front()).id == scans.front());

    while (ledger.prune(in_a_minute, INT64_MAX)) {
    }
    // The running scan may not reach what the last one found.
    const auto last = scans.back();
    scans.pop_back();
    for (const auto scan : scans) BOOST_CHECK_THROW((void)ledger.tasks().get(scan), DatabaseError);
    BOOST_TEST(ledger.finds().infected_files(last, 0, answer_budget, true).files.size() == 1U);
    BOOST_TEST(ledger.tasks().get(running).id == running);
    ledger.finds().complete_scan(running, 0, 0, 0);
    while (ledger.prune(in_a_minute, INT64_MAX)) {
    }
    BOOST_CHECK_THROW((void)ledger.tasks().get(last), DatabaseError);
    BOOST_TEST(ledger.tasks().last(account, TaskKind::Scan)->id == running);
}

BOOST_AUTO_TEST_CASE(clean_files_in_the_quarantine_are_reported) {
    PlannedAction action;
    action.path = "/home/alice/virus";
    for (const char* opaque : {"a", "b"}) {
        action.opaque = opaque;
        ledger.quarantine().add(account, action, 1, 2);
    }
    ledger.quarantine().set_clean(account, "b", true);
    const auto files = ledger.quarantine().listed(account, 0, 100'000).files;
    BOOST_REQUIRE(files.size() == 2U);
    BOOST_TEST(!files[0].clean);
    BOOST_TEST(files[1].clean);
    BOOST_TEST(ledger.quarantine().count_clean(account) == 1U);
    ledger.quarantine().set_clean(account, "b", false);
    BOOST_TEST(ledger.quarantine().count_clean(account) == 0U);
}

BOOST_AUTO_TEST_CASE(an_adopted_file_is_known_as_such_until_a_scan_has_found_it) {
    auto& quarantine = ledger.quarantine();
    PlannedAction file;
    file.path = "/home/alice/virus";
    file.sha256 = "e1c4";
    file.identity.size = 3;
    file.opaque = "own";
    quarantine.add(account, file, 1, 2);
    for (const char* opaque : {"own", "aa", "bb"}) {
        file.opaque = opaque;
        quarantine.adopt(account, file, 1, 7, false);
    }
    const auto adopted = [&] {
        std::string names;
        for (const auto& stored : quarantine.after(account, 0, 10))
            names += stored.opaque + (stored.adopted ? "? " : " ");
        return names;
    };
    BOOST_TEST(adopted() == "own aa? bb? ");
    BOOST_TEST(!quarantine.find_adopted(account, "own").has_value());
    BOOST_TEST(quarantine.find_adopted(account, "aa")->path == file.path);
    auto found = file;
    found.sha256 = "other";
    BOOST_TEST(!quarantine.confirm(account, "aa", found));
    found = file;
    found.virus = "Found";
    found.identity.inode = 9;
    BOOST_TEST(!quarantine.confirm(account, "own", found));
    BOOST_TEST(quarantine.confirm(account, "aa", found));
    BOOST_TEST(quarantine.find(account, "aa")->virus == "Found");
    BOOST_TEST(quarantine.after(account, 0, 10)[1].inode == 9U);
    for (const char* opaque : {"own", "aa", "bb", "none"}) quarantine.forget_adopted(account, opaque);
    BOOST_TEST(adopted() == "own aa ");
}

BOOST_AUTO_TEST_CASE(a_task_has_a_name_in_the_form_that_clients_know) {
    Task task;
    task.id = 255;
    task.created_ms = 0x123456789a;
    BOOST_TEST(task_name(task) == "000000ff/0000123456789a");
}

BOOST_AUTO_TEST_CASE(the_hash_of_a_find_is_stored) {
    completed_scan({"/home/alice/virus"});
    BOOST_TEST(ledger.finds().found_sha256(account, "/home/alice/virus") == "e1c4");
    BOOST_TEST(ledger.finds().found_sha256(account, "/home/alice/other").empty());
}

BOOST_AUTO_TEST_CASE(an_intent_that_differs_from_the_request_survives_a_crash) {
    completed_scan({"/home/alice/virus"});
    const TaskId task = *queue_disinfection(ledger, account, resolve({{"/home/alice/virus", Action::Delete}}));
    ledger.tasks().begin(task);
    auto action = *ledger.records().next_action(task);
    action.action = Action::Quarantine;
    action.opaque = "aa";
    action.remark = "it has changed";
    action.moved = Moved::PutBackClean;
    ledger.records().intend(task, action);
    ledger.commit();
    const auto next = reopened().records().next_action(task);
    BOOST_REQUIRE(next.has_value());
    BOOST_TEST(next->intended);
    BOOST_TEST((next->action == Action::Quarantine));
    BOOST_TEST(next->remark == "it has changed");
    BOOST_TEST((next->moved == Moved::PutBackClean));
    BOOST_TEST(next->sha256.empty());
}

BOOST_AUTO_TEST_CASE(a_file_expires_only_when_both_clocks_say_so) {
    PlannedAction file;
    file.path = "/home/alice/virus";
    file.opaque = "aa";
    ledger.quarantine().add(account, file, 1, 2);
    const auto by_day = now_ms() + 40 * day_ms;
    const auto by_running_time = ledger.running_time().now() + 40 * day_ms;
    const auto expired = [&](std::int64_t before_ms, std::int64_t before_running_ms) {
        return ledger.quarantine().expired(account, before_ms, before_running_ms, {}, 10);
    };
    BOOST_TEST(expired(by_day, ledger.running_time().now() - day_ms).empty());
    BOOST_TEST(expired(now_ms() - day_ms, by_running_time).empty());
    const auto found = expired(by_day, by_running_time);
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST(ledger.quarantine().expired(account, by_day, by_running_time, found.front(), 10).empty());
}

BOOST_AUTO_TEST_CASE(the_copy_of_a_log_is_tried_for_a_day_of_the_hosts_running_time) {
    const auto task = *queue_disinfection(ledger, account, {});
    ledger.records().record_done(task, RecordState::Success, "", Outcome::Completed);
    const auto after = [&](const std::string& change) {
        ledger.commit();
        Database(place.path + "/jobs.sqlite").execute(("UPDATE task SET " + change).c_str());
        return ledger.tasks().with_pending_log(8).size();
    };
    BOOST_TEST(after("ended_ms = ended_ms - 864000000") == 1U);
    BOOST_TEST(after("ended_running_ms = ended_running_ms - 90000000") == 0U);
}

BOOST_AUTO_TEST_CASE(a_task_is_forgotten_only_when_both_clocks_say_so) {
    const auto scan = completed_scan({});
    completed_scan({});
    const auto by_running_time = ledger.running_time().now() + 400 * day_ms;
    while (ledger.prune(now_ms() + 400 * day_ms, 0)) {
    }
    while (ledger.prune(0, by_running_time)) {
    }
    BOOST_TEST(ledger.tasks().get(scan).id == scan);
    while (ledger.prune(now_ms() + 400 * day_ms, by_running_time)) {
    }
    BOOST_CHECK_THROW((void)ledger.tasks().get(scan), DatabaseError);
}

BOOST_AUTO_TEST_CASE(files_that_may_hold_mail_or_are_clean_by_now_never_expire) {
    PlannedAction file;
    file.path = "/home/alice/virus";
    file.opaque = "aa";
    ledger.quarantine().add(account, file, 1, 2);
    file.opaque = "bb";
    ledger.quarantine().add(account, file, 1, 3, true);
    file.opaque = "cc";
    ledger.quarantine().add(account, file, 1, 4);
    ledger.quarantine().set_clean(account, "cc", true);
    const auto expired = ledger.quarantine().expired(account, INT64_MAX, INT64_MAX, {}, 10);
    BOOST_REQUIRE(expired.size() == 1U);
    BOOST_TEST(expired.front().file.opaque == "aa");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
