#include "jobs/jobd/scan_job.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

// The test acts as authd, the engine, the runner and the coordinator.
struct StartedScan {
    StartedScan() {
        config.paths.run_directory = config.paths.state_directory = directory.path;
        for (const char* name : {"/authd", "/engine"}) std::filesystem::create_directory(directory.path + name);
        authd = listen_at(config.runner_socket(), SOCK_SEQPACKET, 0600);
        engine = listen_at(config.engine_socket(), SOCK_SEQPACKET, 0600);
        task = ledger.tasks().queue_scan(account, ScanType::Home, false).value();
    }
    void start() {
        job = std::make_unique<ScanJob>(JobContext{config, loop, ledger}, ledger.tasks().with_account(task));
        job->start();
        BOOST_REQUIRE((job->end() == Job::End::None));
        coordinator = accept_from(engine.get(), 0);
        new_job = decode<NewJob>(received_from(coordinator).bytes);
        const UniqueFd of_authd = accept_from(authd.get(), 0);
        auto asked = received_from(of_authd);
        runner = asked.only_descriptor();
        set_blocking(runner.get(), true);
        while (!run_scan) {
            job->flush();
            Packet packet;
            while (receive_packet(runner.get(), packet, MSG_DONTWAIT) == Got::Packet)
                if (is<RunScan>(packet.bytes)) run_scan = decode<RunScan>(packet.bytes);
        }
    }
    void end_start() {
        ledger.tasks().requeue(task, false, "for a test");
        job.reset();
        run_scan.reset();
    }
    static Packet received_from(const UniqueFd& socket) {
        Packet packet;
        BOOST_REQUIRE((receive_packet(socket.get(), packet) == Got::Packet));
        return packet;
    }
    void walk(std::uint64_t files, bool to_the_end) const {
        WalkProgress walk;
        walk.files = files;
        walk.walked = to_the_end;
        BOOST_REQUIRE((send_message(runner.get(), walk) == Sent::Yes));
    }
    [[nodiscard]] bool is_told_of_the_list() const {
        Packet packet;
        if (receive_packet(coordinator.get(), packet, MSG_DONTWAIT) != Got::Packet) return false;
        static_cast<void>(decode<Listed>(packet.bytes));
        return true;
    }

    TemporaryDirectory directory;
    Settings config;
    EventLoop loop;
    Ledger ledger{directory.path + "/jobs.sqlite"};
    AccountId account = ledger.tasks().account_of({1001, "alice", "/home/alice", 11, 22, 33});
    TaskId task = 0;
    UniqueFd authd;
    UniqueFd engine;
    UniqueFd runner;
    UniqueFd coordinator;
    NewJob new_job;
    std::optional<RunScan> run_scan;
    std::unique_ptr<ScanJob> job;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_scan_job, StartedScan)

BOOST_AUTO_TEST_CASE(tells_the_coordinator_once_the_list_is_whole) {
    start();
    BOOST_TEST(new_job.awaits_list);
    BOOST_TEST(run_scan->hand_over_meanwhile);
    BOOST_TEST(!run_scan->listed);
    walk(7, false);
    run_until(loop, [&] { return ledger.tasks().get(task).total_files == 7; });
    BOOST_TEST(!is_told_of_the_list());
    walk(9, true);
    run_until(loop, [&] { return is_told_of_the_list(); });
    BOOST_TEST(ledger.tasks().get(task).total_files == 9U);
}

// Where opening a file took for ever and kept the walk from its end, the next start lists all files before it opens
// any.
BOOST_AUTO_TEST_CASE(has_files_handed_over_early_in_its_first_start_alone) {
    start();
    end_start();
    start();
    BOOST_TEST(!new_job.awaits_list);
    BOOST_TEST(!run_scan->hand_over_meanwhile);
    walk(9, true);
    run_until(loop, [&] { return ledger.tasks().get(task).total_files == 9; });
    BOOST_TEST(!is_told_of_the_list());
}

BOOST_AUTO_TEST_SUITE_END()
