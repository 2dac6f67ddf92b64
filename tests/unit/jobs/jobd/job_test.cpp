#include "jobs/jobd/job.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <mutex>

#include "tests/unit/fake_daemon.h"
#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

// A job whose log never ends.
class EndlessJob : public Job {
 public:
    using Job::in_pieces;
    using Job::Job;
    int fed = 0;

 protected:
    void begin() override {}
    void receive_from_runner(Packet&) override {}
    void receive_from_coordinator(Packet&) override {}
    void end_turn() override {}
    void feed_runner() override {
        if (!to_runner_.empty()) return;
        ++fed;
        to_runner_.add(Finish{});
    }
    [[nodiscard]] bool needs_engine() const override { return false; }
    [[nodiscard]] bool waits_for_runner() const override { return true; }
};

struct Fixture {
    Fixture() {
        config.paths.run_directory = directory.path;
        std::filesystem::create_directory(directory.path + "/authd");
    }
    std::unique_ptr<EndlessJob> new_job() {
        return std::make_unique<EndlessJob>(JobContext{config, loop, ledger}, AccountTask{});
    }

    TemporaryDirectory directory;
    Settings config;
    EventLoop loop;
    Ledger ledger{directory.path + "/jobs.sqlite"};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_job, Fixture)

BOOST_AUTO_TEST_CASE(with_much_to_do_lets_others_run) {
    const auto job = new_job();
    bool over = false;
    std::size_t steps = 0;
    int turns_of_another = 0;
    EventLoop::Timer next_turn;
    const std::function<void()> another = [&] {
        ++turns_of_another;
        next_turn = loop.after(0ms, another);
    };
    another();
    const auto end = loop.after(100ms, [&] { over = true; });
    job->in_pieces([&] {
        ++steps;
        return !over;
    });
    run_until(loop, [&] { return over && turns_of_another > 2; });
    BOOST_TEST(steps > 1U);
}

BOOST_AUTO_TEST_CASE(does_nothing_more_once_destroyed) {
    auto job = new_job();
    std::size_t steps = 0;
    job->in_pieces([&] {
        ++steps;
        return true;
    });
    const auto before = steps;
    job.reset();
    bool later = false;
    const auto timer = loop.after(20ms, [&] { later = true; });
    run_until(loop, [&] { return later; });
    BOOST_TEST(steps == before);
}

BOOST_AUTO_TEST_CASE(does_nothing_more_once_it_has_failed) {
    const auto job = new_job();
    std::size_t steps = 0;
    job->in_pieces([&] {
        if (++steps == 3) job->fail("for a test");
        return true;
    });
    BOOST_TEST(steps == 3U);
}

BOOST_AUTO_TEST_CASE(feeds_its_runner_one_piece_per_round) {
    std::mutex mutex;
    std::vector<UniqueFd> runners;
    const FakeDaemon authd(config.runner_socket(), SOCK_SEQPACKET, [&](int peer) {
        Packet packet;
        if (receive_packet(peer, packet) != Got::Packet) return false;
        const std::lock_guard lock(mutex);
        runners.push_back(packet.only_descriptor());
        return true;
    });
    const auto job = new_job();
    job->start();
    BOOST_REQUIRE((job->end() == Job::End::None));
    job->flush();
    BOOST_TEST(job->fed == 1);
    job->flush();
    BOOST_TEST(job->fed == 2);
    // No event is needed: the loop goes round until the runner takes no more.
    int rounds = 0;
    loop.at_end_of_round([&] {
        const int before = job->fed;
        job->flush();
        BOOST_TEST(job->fed <= before + 1);
        if (++rounds == 20) loop.stop();
    });
    const auto limit = loop.after(10s, [&] { loop.stop(); });
    loop.run();
    BOOST_TEST(rounds == 20);
    BOOST_TEST(job->fed == 22);
}

BOOST_AUTO_TEST_CASE(is_overdue_by_the_running_time_of_the_host_alone) {
    const JobContext context{config, loop, ledger};
    const auto limit = static_cast<std::int64_t>(config.jobs.max_job_hours) * hour_ms;
    const auto now = ledger.running_time().now();
    BOOST_TEST(!is_overdue(context, now - limit + hour_ms));
    BOOST_TEST(is_overdue(context, now - limit - 1));
    AccountTask task;
    task.task.begun_running_ms = now - 5;
    BOOST_TEST(EndlessJob(context, task).begun_running_ms() == now - 5);
    BOOST_TEST(new_job()->begun_running_ms() >= now);
}

BOOST_AUTO_TEST_SUITE_END()
