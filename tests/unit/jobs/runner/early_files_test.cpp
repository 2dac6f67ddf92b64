#define BOOST_TEST_MODULE early_files
#include "jobs/runner/early_files.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <future>
#include <stdexcept>

#include "auth/base/checked.h"

using namespace clamscanner;

namespace {

std::string number(std::uint64_t i) {
    return "directory/file " + std::to_string(i);
}

// Of one that is finished.
void never() {
    BOOST_ERROR("it was interrupted");
}

// What hands over; it stands still until it is let go.
struct Gate {
    void wait() const { opened.wait(); }
    std::promise<void> promise;
    std::shared_future<void> opened = promise.get_future().share();
};

}  // namespace

BOOST_AUTO_TEST_CASE(all_are_handed_over_in_their_order) {
    for (const std::uint64_t many : {0, 1, 63, 64, 65, 5000}) {
        std::vector<std::string> taken;
        EarlyFiles early([&](const std::string& relative) { taken.push_back(relative); }, never);
        for (std::uint64_t i = 0; i < many; ++i) early.add(number(i));
        BOOST_TEST(early.finish() == many);
        BOOST_TEST_REQUIRE(taken.size() == many);
        for (std::uint64_t i = 0; i < many; ++i) BOOST_TEST(taken[i] == number(i));
    }
}

BOOST_AUTO_TEST_CASE(they_are_handed_over_while_the_walk_goes_on) {
    std::promise<std::string> first;
    const auto tell_first = [&, done = false](const std::string& relative) mutable {
        if (!std::exchange(done, true)) first.set_value(relative);
    };
    EarlyFiles early(tell_first, never);
    for (std::uint64_t i = 0; i < 100; ++i) early.add(number(i));
    BOOST_TEST(first.get_future().get() == number(0));
    BOOST_TEST(early.finish() == 100U);
}

BOOST_AUTO_TEST_CASE(the_walk_does_not_wait_and_what_is_too_much_is_left_out) {
    Gate gate;
    std::vector<std::string> taken;
    const auto take = [&](const std::string& relative) {
        gate.wait();
        taken.push_back(relative);
    };
    EarlyFiles early(take, never);
    constexpr std::uint64_t many = 300'000;
    for (std::uint64_t i = 0; i < many; ++i) early.add(number(i));
    gate.promise.set_value();
    // Once one was left out, so are all after it: those that were not are the first of the list.
    early.add(number(many));
    const auto handed_over = early.finish();
    BOOST_TEST(handed_over > 5'000U);
    BOOST_TEST(handed_over < many);
    BOOST_TEST_REQUIRE(taken.size() == handed_over);
    for (std::uint64_t i = 0; i < handed_over; ++i) BOOST_REQUIRE(taken[i] == number(i));
}

BOOST_AUTO_TEST_CASE(a_fault_ends_it_and_is_reported_at_the_end) {
    std::uint64_t calls = 0;
    const auto fail = [&](const std::string&) {
        if (++calls == 70) throw std::runtime_error("the coordinator is gone");
    };
    EarlyFiles early(fail, never);
    for (std::uint64_t i = 0; i < 1000; ++i) early.add(number(i));
    BOOST_CHECK_EXCEPTION(static_cast<void>(early.finish()), std::runtime_error,
                          [](const auto& fault) { return std::string(fault.what()) == "the coordinator is gone"; });
    BOOST_TEST(calls == 70U);
}

BOOST_AUTO_TEST_CASE(after_a_walk_that_failed_only_the_file_under_way_is_handed_over) {
    Gate gate;
    std::promise<void> begun;
    std::uint64_t calls = 0;
    {
        const auto wait = [&](const std::string&) {
            if (++calls == 1) begun.set_value();
            gate.wait();
        };
        EarlyFiles early(wait, [&] { gate.promise.set_value(); });
        for (std::uint64_t i = 0; i < 1000; ++i) early.add(number(i));
        begun.get_future().wait();
    }
    BOOST_TEST(calls == 1U);
}

// An account may limit how many processes and threads it has.
BOOST_AUTO_TEST_CASE(without_a_thread_all_are_left_out) {
    constexpr uid_t nobody = 65534;
    constexpr rlimit none{0, 0};
    const pid_t pid = checked(::fork(), "fork a runner");
    if (pid == 0) {
        bool right = ::setrlimit(RLIMIT_NPROC, &none) == 0;
        if (::geteuid() == 0) right = right && ::setresuid(nobody, nobody, nobody) == 0;
        EarlyFiles early([](const std::string&) { ::_exit(2); }, never);
        for (std::uint64_t i = 0; i < 1000; ++i) early.add(number(i));
        ::_exit(right && early.finish() == 0 ? 0 : 1);
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
    BOOST_TEST(status == 0);
}
