#include "auth/authd/children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/authd/pam_login.h"
#include "auth/base/socket.h"
#include "tests/unit/run_until.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    struct Reported {
        std::string report;
        pid_t child;
    };
    Children::Reported note() {
        return [this](const std::string& report, ChildProcess child) {
            reported = {report, child.pid()};
            children.kill_and_reap(std::move(child));
        };
    }
    // A reaped child is no longer our child.
    static bool is_reaped(pid_t pid) {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
    }

    EventLoop loop;
    Children children{loop, 100ms};
    std::optional<Reported> reported;
};

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_child, Fixture)

BOOST_AUTO_TEST_CASE(reports_once_and_is_reaped) {
    children.begin(
        {}, 10s, [](int report) { (void)send_packet(report, "it went well"); }, note());
    run_until(loop, [&] { return reported.has_value(); });
    BOOST_TEST(reported->report == "it went well");
    run_until(loop, [&] { return is_reaped(reported->child); });
}

BOOST_AUTO_TEST_CASE(keeps_only_the_descriptors_it_is_given) {
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    const auto [other_here, other_there] = socket_pair(SOCK_SEQPACKET);
    const auto look = [](int report) {
        std::string open;
        for (int fd = 3; fd < 1024; ++fd)
            if (is_open(fd)) open += std::to_string(fd) + ' ';
        (void)send_packet(3, "first");
        (void)send_packet(4, "second");
        (void)send_packet(report, open);
    };
    children.begin({there.get(), other_there.get()}, 10s, look, note());
    run_until(loop, [&] { return reported.has_value(); });
    BOOST_TEST(reported->report == "3 4 5 ");
    Packet packet;
    BOOST_TEST((receive_packet(here.get(), packet) == Got::Packet));
    BOOST_TEST(packet.bytes == "first");
    BOOST_TEST((receive_packet(other_here.get(), packet) == Got::Packet));
    BOOST_TEST(packet.bytes == "second");
}

BOOST_AUTO_TEST_CASE(that_ends_or_throws_without_a_report_has_an_empty_one) {
    for (const bool throws : {false, true}) {
        reported.reset();
        const auto body = [throws](int) {
            if (throws) throw std::runtime_error("a fault on purpose");
        };
        children.begin({}, 10s, body, note());
        run_until(loop, [&] { return reported.has_value(); });
        BOOST_TEST(reported->report.empty());
    }
}

BOOST_AUTO_TEST_CASE(that_takes_too_long_is_killed) {
    const auto begun = Clock::now();
    children.begin(
        {}, 1s, [](int) { ::pause(); }, note());
    run_until(loop, [&] { return reported.has_value(); });
    BOOST_TEST(reported->report.empty());
    BOOST_TEST((Clock::now() - begun < 5s));
    run_until(loop, [&] { return is_reaped(reported->child); });
}

BOOST_AUTO_TEST_CASE(that_is_abandoned_is_killed_and_not_reported) {
    auto [here, there] = socket_pair(SOCK_SEQPACKET);
    set_blocking(here.get(), false);
    const auto child = children.begin(
        {there.get()}, 10s, [](int) { ::pause(); }, note());
    children.abandon(child);
    children.abandon(child);
    // Its end of the pair goes with it.
    there.reset();
    Packet packet;
    run_until(loop, [&] { return receive_packet(here.get(), packet) == Got::PeerGone; });
    BOOST_TEST(!reported.has_value());
}

BOOST_AUTO_TEST_CASE(is_given_time_to_end_by_itself_and_then_killed) {
    auto quick = fork_child({}, [] {});
    auto stubborn = fork_child({}, [] { ::pause(); });
    const pid_t pids[] = {quick.pid(), stubborn.pid()};
    children.reap(std::move(quick), 10s);
    children.reap(std::move(stubborn), 50ms);
    run_until(loop, [&] { return is_reaped(pids[0]) && is_reaped(pids[1]); });
}

BOOST_AUTO_TEST_CASE(of_a_uid_is_awaited_until_it_is_reaped) {
    auto graceful = fork_child({}, [] { ::pause(); });
    auto other = fork_child({}, [] { ::pause(); });
    const pid_t pids[] = {graceful.pid(), other.pid()};
    children.reap(std::move(graceful), 1h, 1001);
    children.reap(std::move(other), 1h, 1002);
    bool gone = false;
    children.when_gone(1001, [&] { gone = is_reaped(pids[0]); });
    run_until(loop, [&] { return gone; });
    BOOST_TEST(!is_reaped(pids[1]));
    unsigned calls = 0;
    children.when_gone(1001, [&] { ++calls; });
    BOOST_TEST(calls == 1U);
    children.when_gone(1002, [&] { ++calls; });
    children.when_gone(1002, [&] { ++calls; });
    run_until(loop, [&] { return calls == 3; });
}

BOOST_AUTO_TEST_CASE(is_not_gone_before_its_own_children_are) {
    auto [lifeline, childs] = socket_pair(SOCK_SEQPACKET);
    auto [ours, grandchilds] = socket_pair(SOCK_SEQPACKET);
    auto child = fork_child({childs.get(), grandchilds.get()}, [] {
        if (::fork() != 0) return;
        Packet packet;
        static_cast<void>(send_packet(4, "I am here"));
        static_cast<void>(receive_packet(4, packet));  // until we tell it to end
    });
    childs.reset();
    grandchilds.reset();
    Packet packet;
    BOOST_REQUIRE((receive_packet(ours.get(), packet) == Got::Packet));
    const pid_t pid = child.pid();
    children.reap(std::move(child), 10s, 1001, std::move(lifeline));
    bool gone = false;
    children.when_gone(1001, [&] { gone = true; });
    run_until(loop, [&] { return is_reaped(pid); });
    BOOST_TEST(children.ending(1001) == 1U);
    BOOST_TEST(children.ending(1002) == 0U);
    BOOST_TEST(!children.hangs(1001));
    run_until(loop, [&] { return children.hangs(1001); });
    BOOST_TEST(!gone);
    ours.reset();
    run_until(loop, [&] { return gone; });
    BOOST_TEST(children.ending(1001) == 0U);
}

BOOST_AUTO_TEST_CASE(dies_with_authd) {
    auto [here, there] = socket_pair(SOCK_SEQPACKET);
    set_blocking(here.get(), false);
    // A stand-in for authd starts a child that would run for ever, and is then killed.
    auto authd = fork_child({there.get()}, [] {
        const auto child = fork_child({3}, [] {
            (void)send_packet(3, "I am here");
            ::pause();
        });
        ::pause();
    });
    there.reset();
    Packet packet;
    run_until(loop, [&] { return receive_packet(here.get(), packet) == Got::Packet; });
    authd.kill();
    run_until(loop, [&] { return receive_packet(here.get(), packet) == Got::PeerGone; });
}

BOOST_AUTO_TEST_CASE(with_a_malformed_report_counts_as_a_fault) {
    BOOST_TEST((report_or_fault<LoginChecked>("").verdict == LoginVerdict::Unavailable));
    BOOST_TEST((report_or_fault<LoginChecked>("garbage").verdict == LoginVerdict::Unavailable));
    BOOST_TEST((report_or_fault<RunnerAnswer>("garbage").verdict == RunnerVerdict::Unavailable));
    const auto good = encode(RunnerAnswer{RunnerVerdict::Suspended});
    BOOST_TEST((report_or_fault<RunnerAnswer>(std::string(good.bytes())).verdict == RunnerVerdict::Suspended));
}

BOOST_AUTO_TEST_SUITE_END()
