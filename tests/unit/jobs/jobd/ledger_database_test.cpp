// Checks the cost of the ledger's statements. jobd has one thread, so a statement that visits more rows than it uses
// lets one account's long list delay every other account.
#include "jobs/jobd/ledger_database.h"

#include <sqlite3.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string_view>

#include "jobs/jobd/brake.h"
#include "jobs/jobd/scan_history.h"
#include "tests/unit/queued_tasks.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

constexpr std::size_t little = 1;  // a budget that one entry exceeds, so that all answers cost the same
constexpr int cuts_of_one_action = 10;

// A ledger in which alice has lists with `entries` entries each, and a history of as many scans.
class LongLists {
 public:
    explicit LongLists(int length) : length_(length) {
        for (int i = 0; i < length; ++i) static_cast<void>(short_scan());
        fill_scan();
        fill_disinfection();
        fill_quarantine();
        fill_system_scan();
        fill_schedules();
        fill_outbox();
        fill_changes();
    }

    // What is done for each event, action, find, poll or piece.
    void do_one_of_each() {
        scan_one();
        poll();
        notify_one();
        ignore_one();
        change_one();
        disinfect_one();
        quarantine_one();
        system_scan_one();
        schedule_one();
        end_all();
    }

    // What is done for each job, start or request of the administrator.
    void do_the_rest() {
        static_cast<void>(ledger.tasks().queued());
        static_cast<void>(ledger.tasks().with_pending_log(8));
        static_cast<void>(ledger.tasks().unfinished_scans());
        const auto scan = *ledger.tasks().queue_scan(alice, ScanType::Home, true, true);
        ledger.tasks().begin(scan);
        ledger.finds().add_unscanned(scan, 1, path(1), UnscannedReason::TimeLimit, 7);
        static_cast<void>(ledger.finds().forget_unsettled(scan));
        static_cast<void>(ledger.finds().forget_earlier(scan, 2));
        ledger.tasks().requeue(scan, true, "");
        ledger.tasks().set_why(scan, "it waits");
        ledger.tasks().begin(scan);
        ledger.finds().add_unscanned(scan, 1, path(1), UnscannedReason::TimeLimit, 7);
        ledger.finds().complete_scan(scan, 1, 0, 0);
        const auto restoration = queue_restoration(ledger, alice, {opaque(1), "unknown"}, Action::Restore);
        static_cast<void>(ledger.records().changed_files(*restoration, 0, 1000));
        ledger.tasks().mark_log_whole(disinfection_);
        static_cast<void>(ledger.quarantine().after(alice, 0, 64));
        static_cast<void>(ledger.quarantine().name_of(alice, 1));
        ignore_everywhere();
        static_cast<void>(brake_.held());
        static_cast<void>(brake_.allow("Everywhere"));
        infect_many_accounts();
        static_cast<void>(brake_.why_held(alice, "Everywhere"));
        for (const auto scope : {ScanHistory::Scope{true, 0}, ScanHistory::Scope{false, alice}}) {
            static_cast<void>(history.tasks(scope, {}, 0, 10));
            static_cast<void>(history.events(scope, 0, 10, 1'000'000));
        }
        history.leave_out(system_scan_, 5000);
        static_cast<void>(history.system_scan_progress());
        history.end_system_scan(system_scan_);
        static_cast<void>(history.begin_system_scan({5000}));
        while (ledger.prune(INT64_MAX, INT64_MAX)) {
        }
    }

 private:
    static std::string path(int i) { return "/home/alice/" + std::to_string(i); }
    static std::string opaque(int i) { return "opaque" + std::to_string(i); }

    TaskId short_scan() {
        const auto scan = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.tasks().end(scan, Outcome::Completed, "");
        return scan;
    }
    void fill_scan() {
        scan_ = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.tasks().begin(scan_);
        ledger.finds().begin_list(scan_, 1, false);
        ledger.tasks().save_totals(scan_, 1, 1, true);
        ledger.tasks().keep_list(scan_, 4096, 0);
        for (int i = 0; i < length_; ++i) {
            const auto place = static_cast<std::uint64_t>(2 * i);
            ledger.finds().add_infected(scan_, 1, path(i), "Eicar", {}, i % 2 == 0, place);
            ledger.finds().add_unscanned(scan_, 1, path(i) + "?", UnscannedReason::TimeLimit, place + 1);
        }
        for (int i = 0; i < length_; ++i) {
            const auto place = static_cast<std::uint64_t>(2 * length_ + i);
            ledger.finds().add_infected(scan_, 1, path(i) + "!", "Fine", opaque(i), false, place);
            static_cast<void>(ledger.finds().ignore(alice, path(i) + "!", {}));
        }
        settle_ignored();
        ledger.tasks().settle(scan_, {static_cast<std::uint64_t>(3 * length_), 0, 0, 0});
        ledger.finds().complete_scan(scan_, 0, 0, 0);
        // All but one have left the list.
        for (int i = 1; i < length_; ++i) ledger.finds().leave_list(alice, path(i));
    }
    void settle_ignored() {
        while (ledger.finds().settle_ignored()) {
        }
    }
    void ignore_one() {
        const auto fresh = path(length_) + "!";
        for (const auto* name : {"", "2"}) ledger.finds().add_infected(scan_, 1, fresh + name, "Fine", "fresh");
        static_cast<void>(ledger.finds().ignore(alice, fresh, {"it is ours", 1, {}}));
        ledger.finds().add_infected(scan_, 1, fresh + "3", "Fine", "fresh");
        ledger.finds().add_infected(scan_, 1, fresh, "Fine", "fresh");
        static_cast<void>(ledger.finds().ignore(alice, fresh + "3", {"it is ours", 0, {}}));
        settle_ignored();
        const auto listed = ledger.finds().ignored_files(alice, scan_, 0, little);
        static_cast<void>(ledger.finds().ignored_files(alice, scan_, std::uint64_t{1} << 62, little));
        static_cast<void>(ledger.ignored().end(alice, static_cast<std::int64_t>(listed.files.at(0).row)));
        static_cast<void>(ledger.ignored().is_administrators(1));
        settle_ignored();
    }
    void ignore_everywhere() {
        static_cast<void>(ledger.ignored().add_for_all({0, "Rare", "", "*.js", "", 0, 0}, {}));
        ledger.finds().add_infected(scan_, 1, path(1) + ".js", "Rare", "rare");
        const auto rows = ledger.ignored().for_all();
        static_cast<void>(ledger.ignored().end_for_all(static_cast<std::int64_t>(rows.at(0).id)));
        settle_ignored();
    }
    void fill_changes() {
        for (int i = 0; i < length_; ++i)
            ledger.history().note_change(alice, {AskedFor::SetSchedule, {AskedBy::Owner}, 1, "daily"});
    }
    void change_one() {
        const HistoryTable::Change change{AskedFor::IgnoreFiles, {AskedBy::Owner}, 1, "some"};
        ledger.history().note_change(alice, change);
        ledger.history().continue_change(alice, change);
        static_cast<void>(ledger.history().of_account(alice, 0, 4));
    }
    void fill_disinfection() {
        std::vector<PlannedAction> planned(static_cast<std::size_t>(length_));
        for (int i = 0; i < length_; ++i) {
            planned[static_cast<std::size_t>(i)].number = static_cast<std::uint64_t>(i + 1);
            planned[static_cast<std::size_t>(i)].path = path(i);
        }
        disinfection_ = queue_disinfection(ledger, alice, planned).value();
        ledger.tasks().begin(disinfection_);
        // Half of them are settled.
        for (int i = 0; i < length_ / 2; ++i) {
            auto action = ledger.records().next_action(disinfection_).value();
            if (i % cuts_of_one_action == 0) intend(action);
            ledger.records().record_step(disinfection_, action, RecordState::Error, "left alone");
        }
    }
    void intend(PlannedAction& action) {
        for (int i = 0; i < cuts_of_one_action; ++i) action.cuts.push_back({opaque(i), "sha256", "Eicar"});
        ledger.records().intend(disinfection_, action);
    }
    void fill_quarantine() {
        for (int i = 0; i < length_; ++i) {
            PlannedAction file;
            file.opaque = opaque(i);
            file.path = path(i);
            ledger.quarantine().add(alice, file, 1, 1);
            ledger.quarantine().set_clean(alice, file.opaque, true);
        }
        // Read from the database once, and cached from then on.
        BOOST_TEST(ledger.quarantine().count_clean(alice) == static_cast<std::uint64_t>(length_));
    }
    void fill_system_scan() {
        std::vector<uid_t> uids;
        for (int i = 0; i < length_; ++i) uids.push_back(static_cast<uid_t>(5000 + i));
        system_scan_ = history.begin_system_scan(uids).value();
        // All but the last account have had their job.
        for (int i = 0; i + 1 < length_; ++i) {
            const auto account =
                ledger.tasks().account_of({static_cast<uid_t>(5000 + i), "user", "/home/user", 1, 1, 1});
            const auto job = history.queue_job(system_scan_, static_cast<uid_t>(5000 + i), account).value();
            ledger.tasks().end(job, Outcome::Completed, "");
        }
    }

    void fill_schedules() {
        for (int i = 0; i < length_; ++i)
            ledger.schedules().set({10'000 + i, {true, ScanType::Home, ScheduleDay::Every, 3}, 0, {}, 1000 + i});
        for (int i = 0; i < 2 * length_; ++i) {
            ledger.automatic().intend(20'000 + i);
            if (i < length_) ledger.automatic().settle(20'000 + i, 30'000 + i);
        }
    }

    void schedule_one() {
        auto& schedules = ledger.schedules();
        static_cast<void>(schedules.due(1003, 4));
        static_cast<void>(schedules.behind(10'000, 4));
        static_cast<void>(schedules.of(10'000));
        schedules.set_due(10'000, 2000);
        schedules.mark_done(10'000, {}, 3000);
        schedules.set({10'000, {true, ScanType::Home, ScheduleDay::Every, 3}, 0, {}, 1000});
        schedules.mark_scan(scan_);
        schedules.remove(10'000);
        auto& automatic = ledger.automatic();
        automatic.intend(scan_);
        static_cast<void>(automatic.waiting(20'000, 4));
        static_cast<void>(automatic.of_scan(20'000));
        static_cast<void>(automatic.is_automatic(30'000));
        automatic.settle(scan_, std::nullopt);
    }

    void fill_outbox() {
        settings_.notifications.hook = "/hook";
        settings_.notifications.administrator = "root@example.com";
        ledger.outbox().use(settings_);
        for (int i = 0; i < length_; ++i) {
            const auto account =
                ledger.tasks().account_of({static_cast<uid_t>(5000 + i), "user", "/home/user", 1, 1, 1});
            ledger.outbox().note_find(account, 1, {path(i), "Eicar", "content"});
            ledger.outbox().note_find(alice, scan_, {path(i), "Eicar", "content"});
        }
    }

    void scan_one() {
        ledger.tasks().set_signatures(scan_, false, "");
        ledger.tasks().save_progress(scan_, 1, 1, 1);
        ledger.finds().add_infected(scan_, 1, path(0), "Eicar", {});
        ledger.finds().add_infected(scan_, 1, path(length_), "Eicar", {});
        ledger.finds().add_unscanned(scan_, 1, path(0) + "?", UnscannedReason::TimeLimit, 1);
        static_cast<void>(ledger.finds().finds_after(scan_, 1, 64));
        static_cast<void>(ledger.finds().first_found_in(scan_, {path(0), "Eicar", "content"}));
        static_cast<void>(ledger.tasks().before(ledger.tasks().get(scan_)));
    }
    // With an outbox that is long already: see fill_outbox().
    void notify_one() {
        auto& outbox = ledger.outbox();
        for (const auto* name : {"a", "a", "b"}) outbox.note_find(alice, scan_, {path(0) + name, "Eicar", "content"});
        static_cast<void>(outbox.first_noted(alice, {path(0), "Eicar", "content"}));
        outbox.note_step(alice, path(0) + "a", RecordState::Quarantined);
        outbox.note_brake("Eicar", "too much");
        outbox.note_signatures(Outbox::Problem::Broken, "broken");
        outbox.note_ended(ledger.tasks().with_account(scan_), ledger.history().of_task(scan_).value());
        outbox.end_digest(INT64_MAX / 2);
        constexpr auto now = INT64_MAX / 4;
        for (const auto channel : {NoticeChannel::Mails, NoticeChannel::Hook}) {
            const auto due = outbox.first_due(channel, now).value();
            static_cast<void>(outbox.next_mail_at(alice, now));
            outbox.seal(due, now);
            static_cast<void>(outbox.get(due.id));
            outbox.settle(due.id, Delivered::Refused, now);
            outbox.postpone(due.id, now);
            outbox.settle(due.id, Delivered::Yes, now);
        }
        static_cast<void>(outbox.set_address(alice, "a@example.com", now));
        static_cast<void>(outbox.confirm(alice, "code", now));
        static_cast<void>(outbox.set_enabled(alice, false, now));
        static_cast<void>(outbox.set_enabled(alice, true, now));
    }
    void poll() {
        static_cast<void>(ledger.tasks().account_of({1002, "bob", "/home/bob", 1, 1, 1}));
        static_cast<void>(ledger.tasks().last(alice, TaskKind::Scan));
        static_cast<void>(ledger.tasks().active(alice));
        static_cast<void>(ledger.tasks().unscanned_counts(scan_));
        static_cast<void>(ledger.finds().infected_files(scan_, 0, little, true));
        static_cast<void>(ledger.finds().infected_files(scan_, 0, little));
        static_cast<void>(ledger.finds().unscanned_files(scan_, 0, little));
        static_cast<void>(ledger.finds().is_known(scan_, path(0)));
        static_cast<void>(ledger.records().records_after(disinfection_, 2, little, 64));
        static_cast<void>(ledger.records().step_counts(disinfection_));
        static_cast<void>(ledger.quarantine().count_clean(alice));
        static_cast<void>(ledger.quarantine().listed(alice, 1, little));
        static_cast<void>(history.statistics({false, alice}));
    }
    void disinfect_one() {
        std::vector<PlannedAction> planned;
        static_cast<void>(ledger.finds().resolve(alice, "/home/alice", {{path(0), Action::Delete}}, planned));
        brake_.add_hit(alice, "Rare");
        static_cast<void>(brake_.why_held(alice, "Rare"));
        static_cast<void>(ledger.records().actions_after(disinfection_, 1, 16));
        auto action = ledger.records().next_action(disinfection_).value();
        intend(action);
        static_cast<void>(ledger.records().next_action(disinfection_));
        ledger.records().record_step(disinfection_, action, RecordState::Deleted, "");
        ledger.records().record_issue(disinfection_, RecordState::Warning, "");
        ledger.finds().leave_list(alice, path(0));
        ledger.finds().return_to_list(alice, path(0));
    }
    void quarantine_one() {
        auto& quarantine = ledger.quarantine();
        PlannedAction file;
        file.opaque = "fresh";
        quarantine.add(alice, file, 1, 1);
        quarantine.set_clean(alice, "fresh", true);
        static_cast<void>(quarantine.find(alice, "fresh"));
        static_cast<void>(quarantine.expired(alice, 1000, 1000, {}, 64));
        quarantine.forget(alice, "fresh");
    }
    void system_scan_one() {
        static_cast<void>(history.open_system_scan());
        static_cast<void>(history.waiting_accounts(system_scan_, 0, 1));
        static_cast<void>(history.is_waiting(system_scan_, 5000));
        static_cast<void>(history.unfinished_jobs(system_scan_));
        static_cast<void>(history.begun_running_ms(system_scan_));
    }
    void end_all() {
        ledger.records().record_done(disinfection_, RecordState::Success, "", Outcome::Completed);
        const auto scan = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.finds().complete_scan(scan, 0, 0, 0);
        const auto next = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        ledger.tasks().keep_list(next, 4096, 0);
        end_unfinished(next);
        static_cast<void>(queue_disinfection(ledger, alice, {}));
        ledger.tasks().end(ledger.tasks().active(alice)->id, Outcome::Completed, "");
        // The rows of the long scan and the long disinfection, a piece at a time.
        while (ledger.prune(0, 0)) {
        }
    }
    void end_unfinished(TaskId scan) {
        const Task task = ledger.tasks().get(scan);
        const auto before = ledger.tasks().before(task);
        for (int i = 0; i < 20; ++i) ledger.finds().keep_find(task, before, path(i), static_cast<std::uint64_t>(i));
        std::int64_t after = 0;
        static_cast<void>(ledger.finds().keep_finds_below(scan, *before, "/home", after));
        static_cast<void>(ledger.finds().count_placed(scan, 0, 10));
        ledger.finds().end_unfinished(scan, Outcome::Cancelled, "it was cancelled", 1);
    }
    void infect_many_accounts() {
        for (uid_t uid = 3000; uid < 3010; ++uid) {
            const auto scan = ledger.tasks().queue_scan(ledger.tasks().account_of({uid, "user", "/home/user", 1, 1, 1}),
                                                        ScanType::Home, false);
            ledger.finds().add_infected(*scan, 1, "/home/user/virus", "Everywhere", {});
            brake_.add_hit(ledger.tasks().account_of({uid, "user", "/home/user", 1, 1, 1}), "Everywhere");
        }
    }

    int length_;
    TemporaryDirectory directory_;
    Settings settings_;

 public:
    const std::string file = directory_.path + "/jobs.sqlite";
    Ledger ledger{file};
    ScanHistory history{ledger, settings_};

 private:
    Brake brake_{ledger, settings_};
    const AccountId alice = ledger.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
    TaskId scan_ = 0;
    TaskId disinfection_ = 0;
    ScanHistory::SystemScanId system_scan_ = 0;
};

std::vector<std::string> plan_of(Database& database, const std::string& sql) {
    std::vector<std::string> plan;
    constexpr int detail = 3;
    Statement(database.handle(), ("EXPLAIN QUERY PLAN " + sql).c_str()).each([&](Row row) {
        plan.push_back(row.bytes(detail));
        return true;
    });
    return plan;
}

bool passes_all_rows(const std::string& step) {
    return (step.starts_with("SCAN ") && step != "SCAN CONSTANT ROW") || step.find("TEMP B-TREE") != std::string::npos;
}

struct Allowed {
    std::string_view sql;  // the beginning of the statement
    std::string_view step;
    std::string_view why;
};

constexpr Allowed allowed[] = {
    {"SELECT uuid FROM host", "SCAN host", "it has one row"},
    {"SELECT scanned_accounts FROM total", "SCAN total", "it has one row"},
    {"SELECT name, number FROM notice_figure", "USE TEMP B-TREE FOR ORDER BY", "once a day, the accounts with finds"},
    {"SELECT count(*) FROM notice", "SCAN notice USING INDEX due_notices", "once at a start, and bounded"},
    {"SELECT signature, why", "SCAN held_signature", "the administrator's list of what is held"},
    {"SELECT signature, why", "USE TEMP B-TREE FOR ORDER BY", "the same"},
    {"SELECT 1 FROM system_scan", "SCAN system_scan", "it ends at the first row"},
    {"SELECT scan FROM system_scan_account LIMIT 1", "SCAN system_scan_account", "it ends at the first row"},
    {"SELECT id FROM system_scan WHERE ended_ms IS NULL", "SCAN system_scan USING INDEX one_system_scan",
     "that index has at most one entry"},
    {"SELECT id, created_ms, coalesce(ended_ms", "SCAN system_scan", "of the host users, and the scans of all are few"},
    {"UPDATE task INDEXED BY open_tasks", "SCAN task USING INDEX open_tasks",
     "when the program starts, and an index of what is queued or running: one task of an account"},
    {"SELECT id, account, kind, state", "SCAN task USING INDEX open_tasks", "the same"},
    {"SELECT id FROM task INDEXED BY unfinished_scans", "SCAN task USING INDEX unfinished_scans",
     "when the program starts, and an index of the accounts' last scans"},
    {"SELECT id FROM task WHERE pruned = 1", "SCAN task USING INDEX to_prune", "it ends at the first row"},
    {"SELECT id, state = 2, expires_ms", "SCAN ignored USING INDEX ignored_to_settle", "it ends at the first row"},
};

bool is_allowed(const std::string& sql, const std::string& step) {
    return std::any_of(std::begin(allowed), std::end(allowed),
                       [&](const Allowed& row) { return sql.starts_with(row.sql) && step == row.step; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ledger_database)

// All of jobd's, and of the triggers that they fire: this program is linked with all of jobd's library.
BOOST_AUTO_TEST_CASE(no_statement_reads_or_sorts_a_whole_table) {
    const LongLists lists(1);
    Database other(lists.file);
    constexpr int also_of_triggers = 1;
    ::sqlite3_db_config(other.handle(), SQLITE_DBCONFIG_TRIGGER_EQP, also_of_triggers, nullptr);
    BOOST_TEST(all_statements().size() > 100U);
    for (const std::string sql : all_statements())
        for (const auto& step : plan_of(other, sql))
            BOOST_TEST((!passes_all_rows(step) || is_allowed(sql, step)), sql << "\n  " << step);
}

BOOST_AUTO_TEST_CASE(one_step_costs_the_same_in_a_long_list_as_in_a_short_one) {
    constexpr int is_short = 600;  // longer than the pieces in which rows are deleted
    constexpr int times = 5;
    const auto work_in = [](int length) {
        LongLists lists(length);
        static_cast<void>(lists.ledger.database().work());
        lists.do_one_of_each();
        return lists.ledger.database().work();
    };
    const auto in_short = work_in(is_short);
    const auto in_long = work_in(is_short * times);
    for (const auto& [sql, steps] : in_long) {
        const auto before = in_short.find(sql);
        BOOST_REQUIRE_MESSAGE(before != in_short.end(), sql);
        BOOST_TEST(steps <= 2 * before->second + 100, sql << ": " << before->second << ", then " << steps);
    }
}

BOOST_AUTO_TEST_CASE(the_file_shrinks_again_after_a_big_scan) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/jobs.sqlite";
    const auto size = [&] { return std::filesystem::file_size(file); };
    const auto scan = [](Ledger& ledger, int finds) {
        const auto alice = ledger.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
        const auto task = ledger.tasks().queue_scan(alice, ScanType::Home, false).value();
        for (int i = 0; i < finds; ++i)
            ledger.finds().add_unscanned(task, 1, "/home/alice/directory/" + std::to_string(i),
                                         UnscannedReason::Unreadable, 0);
        ledger.finds().complete_scan(task, 0, 0, 0);
        ledger.commit();
    };
    // Closing it writes the log into the file.
    { scan(*std::make_unique<Ledger>(file), 200'000); }
    const auto full = size();
    {
        Ledger ledger(file);
        scan(ledger, 1);
        while (ledger.prune(0, 0)) ledger.commit();
        BOOST_TEST(ledger.finds().unscanned_files(1, 0, 1'000'000).files.empty());
    }
    BOOST_TEST(size() < full / 2);
    BOOST_TEST(size() < 12U << 20);
}

BOOST_AUTO_TEST_CASE(a_missing_index_is_created_at_the_next_start) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/jobs.sqlite";
    { const Ledger made(file); }
    Database(file).execute("DROP INDEX quarantine_in_order; DROP INDEX unpruned_tasks");
    Ledger again(file);
    const auto alice = again.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
    BOOST_TEST(again.quarantine().after(alice, 0, 64).empty());
    BOOST_TEST(again.tasks().queue_scan(alice, ScanType::Home, false).has_value());
}

// What version 7 brought is taken away again.
void make_version_6(const std::string& file, const char* more = "") {
    Database old(file);
    for (const auto* column : {"size", "changed_ms", "first_ms"})
        old.execute((std::string("ALTER TABLE find DROP COLUMN ") + column).c_str());
    old.execute("ALTER TABLE told_find DROP COLUMN first_ms; PRAGMA user_version = 6");
    old.execute(more);
}

BOOST_AUTO_TEST_CASE(a_database_of_the_version_before_is_converted_with_all_its_rows) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/jobs.sqlite";
    const AccountFacts facts{1001, "alice", "/home/alice", 1, 1, 1};
    const FoundContent old_find{"/home/alice/old", "Eicar", "e1c4"};
    const Settings settings;
    TaskId scan = 0;
    {
        Ledger made(file);
        made.outbox().use(settings);
        const auto alice = made.tasks().account_of(facts);
        scan = made.tasks().queue_scan(alice, ScanType::Home, false).value();
        made.tasks().begin(scan);
        for (int i = 0; i < 1000; ++i)
            made.finds().add_unscanned(scan, 1, "/home/alice/" + std::to_string(i), UnscannedReason::Encrypted, i);
        made.finds().add_infected(scan, 1, old_find.path, old_find.virus, old_find.sha256, false, std::nullopt,
                                  {68, 1000, 2000, 3000});
        made.outbox().note_find(alice, scan, old_find);
        made.finds().complete_scan(scan, 1001, 0, 0);
        made.commit();
    }
    make_version_6(file);
    for (int i = 0; i < 2; ++i) {
        Ledger converted(file);
        const auto alice = converted.tasks().account_of(facts);
        const auto listed = converted.finds().infected_files(scan, 0, answer_budget).files;
        BOOST_REQUIRE(listed.size() == 1U);
        BOOST_TEST(listed[0].path == old_find.path);
        // What it did not record is unknown; the time is kept.
        BOOST_TEST((listed[0].facts == FindFacts{FindFacts::unknown_size, 0, 2000, 0}));
        BOOST_TEST(converted.finds().unscanned_files(scan, 0, answer_budget).files.size() == 1000U);
        BOOST_TEST(converted.outbox().first_noted(alice, old_find).value() == 0);
    }
    Ledger converted(file);
    const auto alice = converted.tasks().account_of(facts);
    const auto next = converted.tasks().queue_scan(alice, ScanType::Home, false).value();
    converted.tasks().begin(next);
    const FindFacts fresh{69, 4000, 6000, 5000};
    converted.finds().add_infected(next, 1, "/home/alice/new", "Eicar", "e1c4", false, std::nullopt, fresh);
    BOOST_TEST((converted.finds().infected_files(next, 0, answer_budget).files[0].facts == fresh));
}

BOOST_AUTO_TEST_CASE(a_database_of_the_version_before_is_converted_without_what_came_later) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/jobs.sqlite";
    { const Ledger made(file); }
    make_version_6(file, "DROP TABLE told_find");
    Ledger converted(file);
    const auto alice = converted.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
    BOOST_TEST(!converted.outbox().first_noted(alice, {"/home/alice/a", "Eicar", "e1c4"}).has_value());
    const Database other(file);
    BOOST_TEST(Statement(other.handle(), "PRAGMA user_version").number().value() == 7);
}

BOOST_AUTO_TEST_CASE(a_database_of_an_older_version_is_refused) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/jobs.sqlite";
    { const Ledger made(file); }
    Database(file).execute("PRAGMA user_version = 5");
    BOOST_CHECK_THROW(Ledger{file}, DatabaseError);
    BOOST_TEST(Statement(Database(file).handle(), "PRAGMA user_version").number().value() == 5);
}

BOOST_AUTO_TEST_CASE(a_database_of_another_version_is_refused_and_unchanged) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/jobs.sqlite";
    Database(file).execute("CREATE TABLE task(of_another_version INTEGER); PRAGMA user_version = 1000");
    BOOST_CHECK_THROW(Ledger{file}, DatabaseError);
    const Database other(file);
    BOOST_TEST(Statement(other.handle(), "PRAGMA user_version").number().value() == 1000);
    BOOST_TEST(Statement(other.handle(), "SELECT count(*) FROM sqlite_schema").number().value() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
