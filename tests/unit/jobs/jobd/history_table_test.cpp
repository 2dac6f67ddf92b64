// Changes that are made at once, as rows of an account's own trail.
#include "jobs/jobd/history_table.h"

#include <boost/test/unit_test.hpp>

#include "jobs/jobd/ledger.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

struct Trail {
    TaskId scan() {
        const auto id = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.tasks().end(id, Outcome::Completed, "");
        return id;
    }
    HistoryTable& history() { return ledger.history(); }
    std::vector<HistoryEntry> entries(AccountId account) {
        std::vector<HistoryEntry> all;
        for (std::uint64_t after = 0;;) {
            auto piece = history().of_account(account, after, 3);
            for (auto& entry : piece.entries) all.push_back(std::move(entry));
            if (piece.next == 0) return all;
            after = piece.next;
        }
    }
    std::int64_t rows(const std::string& table) {
        Database other(file);
        return Statement(other.handle(), ("SELECT count(*) FROM " + table).c_str()).number().value();
    }

    TemporaryDirectory directory;
    const std::string file = directory.path + "/jobs.sqlite";
    Ledger ledger{file};
    const AccountId alice = ledger.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
    const AccountId bob = ledger.tasks().account_of({1002, "bob", "/home/bob", 1, 1, 1});
};

const Asker owner{AskedBy::Owner, "", "192.0.2.1"};

BOOST_FIXTURE_TEST_SUITE(history_table, Trail)

BOOST_AUTO_TEST_CASE(a_change_stands_among_the_tasks_in_their_order) {
    scan();
    const auto asked = now_ms();
    history().note_change(alice, {AskedFor::IgnoreFiles, {AskedBy::Token, "ci", "192.0.2.7"}, 3, "some"});
    const auto last = scan();
    history().note_change(bob, {AskedFor::SetSchedule, owner, 0, "daily"});

    const auto all = entries(alice);
    BOOST_REQUIRE(all.size() == 3U);
    BOOST_TEST(all[0].id == static_cast<std::uint64_t>(last));
    BOOST_TEST((all[2].what == AskedFor::Scan));
    const auto& change = all[1];
    BOOST_TEST((change.what == AskedFor::IgnoreFiles));
    BOOST_TEST((change.phase == TaskPhase::Completed));
    BOOST_TEST((change.asker.by == AskedBy::Token));
    BOOST_TEST(change.asker.which == "ci");
    BOOST_TEST(change.asker.from == "192.0.2.7");
    BOOST_TEST(change.files == 3U);
    BOOST_TEST(change.why == "some");
    BOOST_TEST(change.asked_ms >= asked);
    BOOST_TEST(change.ended_ms == change.asked_ms);
    BOOST_TEST(change.steps.empty());
    BOOST_TEST(entries(bob).size() == 1U);
}

// Its account is as free as before, and nobody takes it for a job.
BOOST_AUTO_TEST_CASE(a_change_is_no_job) {
    history().note_change(alice, {AskedFor::SetNotifications, owner, 0, "off"});
    const auto id = static_cast<TaskId>(entries(alice).at(0).id);
    BOOST_TEST(!ledger.tasks().active(alice));
    BOOST_TEST(!history().of_task(id));
    BOOST_TEST(ledger.tasks().queued().empty());
    BOOST_TEST(ledger.tasks().take_ended().empty());
    BOOST_TEST(history().failures(10).empty());
    BOOST_TEST(ledger.tasks().queue_scan(alice, ScanType::Home, false).has_value());
}

BOOST_AUTO_TEST_CASE(the_pieces_of_one_request_are_one_change) {
    history().note_change(alice, {AskedFor::IgnoreFiles, owner, 50, "the first"});
    history().continue_change(alice, {AskedFor::IgnoreFiles, owner, 50, "another"});
    history().continue_change(alice, {AskedFor::IgnoreFiles, owner, 7, "another"});
    BOOST_REQUIRE(entries(alice).size() == 1U);
    BOOST_TEST(entries(alice)[0].files == 107U);
    BOOST_TEST(entries(alice)[0].why == "the first");
    // Of another asker, of another kind, of another account, or much later, it is another.
    history().continue_change(alice, {AskedFor::IgnoreFiles, {AskedBy::Shell}, 1, "by another"});
    history().continue_change(alice, {AskedFor::UnignoreFiles, {AskedBy::Shell}, 1, "of another kind"});
    history().continue_change(bob, {AskedFor::UnignoreFiles, {AskedBy::Shell}, 1, "of another account"});
    BOOST_TEST(entries(alice).size() == 3U);
    BOOST_TEST(entries(bob).size() == 1U);
    ledger.database().write();
    Statement& older = ledger.database().statement<"UPDATE task SET created_ms = created_ms - 100000">();
    older.run();
    history().continue_change(alice, {AskedFor::UnignoreFiles, {AskedBy::Shell}, 1, "later"});
    BOOST_TEST(entries(alice).size() == 4U);
}

BOOST_AUTO_TEST_CASE(an_account_has_the_latest_changes_and_all_its_tasks) {
    constexpr auto more = HistoryTable::most_changes + 5;
    const auto first = scan();
    for (std::int64_t i = 0; i < more; ++i)
        history().note_change(alice, {AskedFor::SetSchedule, owner, 0, std::to_string(i)});
    history().note_change(bob, {AskedFor::SetSchedule, owner, 0, "bob's"});
    const auto latest = history().of_account(alice, 0);
    BOOST_TEST(latest.entries.at(0).why == std::to_string(more - 1));
    const auto kept =
        ledger.database().statement<"SELECT count(*) FROM task WHERE account = ? AND kind > 3">().number(alice).value();
    BOOST_TEST(kept == HistoryTable::most_changes);
    const auto askers = ledger.database().statement<"SELECT count(*) FROM asker">().number().value();
    BOOST_TEST(askers == HistoryTable::most_changes + 1);
    BOOST_TEST(ledger.tasks().get(first).id == first);
    BOOST_TEST(entries(bob).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_change_is_kept_as_long_as_a_task) {
    const auto old = scan();
    history().note_change(alice, {AskedFor::SetSchedule, owner, 0, "daily"});
    scan();  // an account's last scan stays
    const auto by_running_time = ledger.running_time().now() + 400 * day_ms;
    while (ledger.prune(now_ms() + 400 * day_ms, 0)) {
    }
    while (ledger.prune(0, by_running_time)) {
    }
    BOOST_TEST(entries(alice).size() == 3U);
    while (ledger.prune(now_ms() + 400 * day_ms, by_running_time)) {
    }
    BOOST_TEST(entries(alice).size() == 1U);
    BOOST_CHECK_THROW((void)ledger.tasks().get(old), DatabaseError);
    ledger.commit();
    BOOST_TEST(rows("asker") == 0);
}

// Of a program that was updated: its index had another name, and knew of no changes.
BOOST_AUTO_TEST_CASE(a_database_of_before_gets_what_it_needs) {
    ledger.commit();
    Database(file).execute(
        "DROP INDEX trail_of_account; DROP INDEX changes_of_account; DROP TABLE ignoring_told; "
        "CREATE INDEX history_of_account ON task(account, id) WHERE kind < 3");
    Ledger again(file);
    again.history().note_change(alice, {AskedFor::IgnoreFiles, owner, 1, "x"});
    BOOST_TEST(again.history().of_account(alice, 0).entries.size() == 1U);
    again.commit();
    BOOST_TEST(rows("sqlite_schema WHERE name = 'history_of_account'") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
