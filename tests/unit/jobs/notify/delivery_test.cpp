// Hooks that hang, fail, flood, and leave processes behind.
#include "jobs/notify/delivery.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Fixture() { adopt_orphans(); }

    Delivery::Result deliver(const std::string& script, std::chrono::seconds limit = 10s,
                             const std::string& input = "{}\n") {
        EventLoop loop;
        Delivery::Result result;
        const auto path = directory.path + "/hook";
        std::ofstream(path) << "#!/bin/sh\n" << script;
        BOOST_REQUIRE(::chmod(path.c_str(), 0755) == 0);
        {
            const Delivery delivery(
                loop, limit, [&] { return run_program(path, input); },
                [&](const Delivery::Result& ended) {
                    result = ended;
                    loop.stop();
                });
            loop.run();
        }
        return result;
    }
    // Of a process whose number a hook wrote down.
    bool is_alive(const std::string& name) {
        pid_t pid = 0;
        std::ifstream(directory.path + "/" + name) >> pid;
        BOOST_REQUIRE(pid > 0);
        return ::kill(pid, 0) == 0;
    }

    TemporaryDirectory directory;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(delivery, Fixture)

BOOST_AUTO_TEST_CASE(a_hook_gets_the_event_on_standard_input_and_a_clean_environment) {
    const std::string long_event(200'000, 'x');
    const auto result = deliver("cat > " + directory.path + "/got; env >> " + directory.path + "/env; ls /proc/self/fd",
                                10s, long_event);
    BOOST_REQUIRE(result.ending);
    BOOST_TEST((!result.ending->by_signal && result.ending->code == 0));
    std::ifstream got(directory.path + "/got");
    BOOST_TEST(std::string(std::istreambuf_iterator<char>(got), {}) == long_event);
    BOOST_TEST(result.output == "0\n1\n2\n3\n");  // 3 is the directory that ls reads
}

BOOST_AUTO_TEST_CASE(a_hook_that_fails_says_so_with_the_first_of_its_output) {
    const auto result = deliver("echo nobody there >&2; exit 3");
    BOOST_REQUIRE(result.ending);
    BOOST_TEST((!result.ending->by_signal && result.ending->code == 3));
    BOOST_TEST(result.output == "nobody there\n");
}

BOOST_AUTO_TEST_CASE(a_hook_that_cannot_be_run_fails) {
    EventLoop loop;
    Delivery::Result result;
    const Delivery delivery(
        loop, 10s, [] { return run_program("/no/such/program", ""); },
        [&](const Delivery::Result& ended) {
            result = ended;
            loop.stop();
        });
    loop.run();
    BOOST_TEST(result.ending.value().code == 126);
    BOOST_TEST(result.output.find("No such file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_hook_that_hangs_is_ended_with_all_that_it_started) {
    const auto begun = Clock::now();
    const auto result = deliver("echo $$ > " + directory.path + "/parent; (echo $BASHPID; exec setsid sleep 600) & " +
                                    "echo $! > " + directory.path + "/child; trap '' TERM INT HUP; sleep 600",
                                3s);
    BOOST_TEST(!result.ending);
    BOOST_TEST((Clock::now() - begun < 20s));
    BOOST_TEST(!is_alive("parent"));
    BOOST_TEST(!is_alive("child"));
}

BOOST_AUTO_TEST_CASE(what_a_hook_leaves_behind_is_ended_with_it) {
    const auto result =
        deliver("setsid sh -c 'echo $$ > " + directory.path + "/left; sleep 600' > /dev/null & while [ ! -s " +
                directory.path + "/left ]; do sleep 0.05; done");
    BOOST_REQUIRE(result.ending);
    BOOST_TEST(!is_alive("left"));
}

BOOST_AUTO_TEST_CASE(a_hook_that_floods_its_output_costs_a_thousand_bytes) {
    const auto result = deliver("head -c 50000000 /dev/zero | tr '\\0' x; exit 1");
    BOOST_REQUIRE(result.ending);
    BOOST_TEST(result.ending->code == 1);
    BOOST_TEST(result.output.size() == 1000U);
}

BOOST_AUTO_TEST_CASE(a_hook_that_floods_for_ever_is_ended_at_its_limit) {
    const auto result = deliver("exec yes", 1s);
    BOOST_TEST(!result.ending);
}

BOOST_AUTO_TEST_SUITE_END()
