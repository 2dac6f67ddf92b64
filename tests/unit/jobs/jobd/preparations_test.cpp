// Actions that come in pieces keep their account busy for a while, but never for as long as somebody likes.
#include "jobs/jobd/preparations.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    // Sends a piece every few milliseconds, for as long as they are taken.
    void send_pieces(TaskId task) {
        is_taken = preparations.take(account, task).has_value();
        if (is_taken) next = loop.after(5ms, [this, task] { send_pieces(task); });
    }

    TemporaryDirectory directory;
    EventLoop loop;
    Ledger ledger{directory.path + "/jobs.sqlite"};
    AccountId account = ledger.tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
    std::vector<uid_t> freed;
    Preparations preparations{loop, ledger, [this](uid_t uid) { freed.push_back(uid); }, 100ms};
    EventLoop::Timer next;
    bool is_taken = false;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(preparations, Fixture)

BOOST_AUTO_TEST_CASE(pieces_that_keep_coming_do_not_keep_the_account_busy_for_good) {
    const auto task = preparations.take(account, 0);
    BOOST_REQUIRE(task.has_value());
    send_pieces(*task);
    BOOST_TEST(is_taken);
    BOOST_TEST(!ledger.tasks().queue_scan(account, ScanType::Home, false).has_value());
    bool late = false;
    const auto limit = loop.after(5s, [&] { late = true; });
    run_until(loop, [&] { return late || !freed.empty(); });
    BOOST_TEST(!late);
    BOOST_TEST(freed == std::vector<uid_t>{1001});
    BOOST_TEST(ledger.tasks().queue_scan(account, ScanType::Home, false).has_value());
    BOOST_TEST(!preparations.take(account, *task).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_finished_in_time_stays) {
    const auto task = preparations.take(account, 0);
    BOOST_REQUIRE(task.has_value());
    preparations.finish(*task, TaskKind::Disinfection);
    bool over = false;
    const auto wait = loop.after(200ms, [&] { over = true; });
    run_until(loop, [&] { return over; });
    BOOST_TEST(freed.empty());
    BOOST_TEST((ledger.tasks().active(account).value().kind == TaskKind::Disinfection));
}

BOOST_AUTO_TEST_SUITE_END()
