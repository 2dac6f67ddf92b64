// Workers that a hostile file took over: they find their test viruses and call everything else clean. They can lie
// about the files that they are handed, and about nothing else; what they say makes nothing known to another account.
//
// The workers here are this test's own: it has a run_worker() that the linker takes in place of the product's.
#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/engine/worker/worker.h"

#include <sys/prctl.h>

#include "tests/unit/jobs/engine/known/jobs_of_accounts.h"

namespace clamscanner {

void run_worker(ClamEngine& engine, WorkerSockets coordinator, const std::string& temporary_directory,
                const SandboxLimits&) noexcept {
    try {
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the coordinator");
        engine.use_temporary_directory(temporary_directory);
        Packet packet;
        while (receive_packet(coordinator.requests.get(), packet) == Got::Packet) {
            const auto request = decode<ScanRequest>(packet.bytes);
            const UniqueFd file = packet.only_descriptor();
            ScanAnswer answer = engine.scan(file.get());
            if (answer.virus.find(engine.test_virus().name) == std::string::npos) {
                answer = {};
                answer.verdict = Verdict::Clean;
            }
            answer.token = request.token;
            answer.written_out = true;
            if (send_message(coordinator.answers.get(), answer) != Sent::Yes) break;
        }
    } catch (const std::exception&) {
    }
    ::_exit(0);
}

namespace {

boost::test_tools::assertion_result judges_here(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result here(landlock_version() > 0 && own_tmpfs_works("/tmp"));
    here.message() << "no Landlock or no user namespaces here, so nothing is judged";
    return here;
}

BOOST_AUTO_TEST_SUITE(lying_workers, *boost::unit_test::precondition(judges_here))

BOOST_FIXTURE_TEST_CASE(what_lying_workers_call_clean_is_not_known, JobsOfAccounts) {
    start();
    wait_until_ready();
    for (int account = 1; account <= 6; ++account) {
        write(account, "virus", test_virus());
        write(account, "zip", zipped_test_virus());
        write(account, "text", "harmless text");
    }
    wait_until_old();
    for (int account = 1; account <= 5; ++account) {
        const auto result = scan(account);
        BOOST_TEST(result.clean == 3U, "they lie");
        BOOST_TEST(result.infected.empty());
    }
    const auto meeting = [&](const std::string& content) { return Meetings(*this, 200).meet(content); };
    BOOST_TEST((meeting(test_virus()) == Meeting::Unknown));
    BOOST_TEST((meeting(zipped_test_virus()) == Meeting::Unknown));
    BOOST_TEST((meeting("harmless text") == Meeting::Known));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
