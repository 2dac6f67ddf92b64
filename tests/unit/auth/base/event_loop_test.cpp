#include "auth/base/event_loop.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(timers_fire_in_the_order_of_their_time) {
    EventLoop loop;
    std::string order;
    loop.after(300ms, [&] { order += 'c'; });
    loop.after(100ms, [&] { order += 'a'; });
    loop.after(200ms, [&] { order += 'b'; });
    run_until(loop, [&] { return order.size() == 3; });
    BOOST_TEST(order == "abc");
}

BOOST_AUTO_TEST_CASE(a_cancelled_timer_does_not_fire) {
    EventLoop loop;
    bool fired = false;
    bool later = false;
    const auto timer = loop.after(1ms, [&] { fired = true; });
    loop.after(2ms, [&] { later = true; });
    loop.cancel(timer);
    run_until(loop, [&] { return later; });
    BOOST_TEST(!fired);
}

BOOST_AUTO_TEST_CASE(a_timer_may_cancel_another_that_is_due_as_well) {
    EventLoop loop;
    bool second = false;
    EventLoop::TimerId timer = 0;
    bool first = false;
    loop.after(0ms, [&] {
        first = true;
        loop.cancel(timer);
    });
    timer = loop.after(0ms, [&] { second = true; });
    run_until(loop, [&] { return first; });
    BOOST_TEST(!second);
}

BOOST_AUTO_TEST_CASE(a_handler_may_forget_itself_and_others_of_the_same_round) {
    EventLoop loop;
    const auto [one_here, one_there] = socket_pair(SOCK_SEQPACKET);
    const auto [two_here, two_there] = socket_pair(SOCK_SEQPACKET);
    BOOST_REQUIRE((send_packet(one_there.get(), "x") == Sent::Yes));
    BOOST_REQUIRE((send_packet(two_there.get(), "x") == Sent::Yes));
    int called = 0;
    const auto forget_both = [&, one = one_here.get(), two = two_here.get()](std::uint32_t) {
        ++called;
        loop.forget(one);
        loop.forget(two);
    };
    loop.watch(one_here.get(), EPOLLIN, forget_both);
    loop.watch(two_here.get(), EPOLLIN, forget_both);
    run_until(loop, [&] { return called > 0; });
    BOOST_TEST(called == 1);
}

BOOST_AUTO_TEST_CASE(an_event_of_a_closed_descriptor_does_not_reach_the_next_with_its_number) {
    EventLoop loop;
    auto pairs = std::array{socket_pair(SOCK_SEQPACKET), socket_pair(SOCK_SEQPACKET)};
    auto& first = pairs[0].first;
    auto& first_peer = pairs[0].second;
    auto& second = pairs[1].first;
    auto& second_peer = pairs[1].second;
    BOOST_REQUIRE((send_packet(first_peer.get(), "x") == Sent::Yes));
    BOOST_REQUIRE((send_packet(second_peer.get(), "x") == Sent::Yes));
    UniqueFd replacement;
    bool wrongly_called = false;
    // Whoever of the two comes first replaces the other by a descriptor of the same number that has nothing to read.
    const auto replace = [&](UniqueFd& other) {
        const int number = other.get();
        loop.forget(number);
        other.reset();
        auto [fresh, peer] = socket_pair(SOCK_SEQPACKET);
        BOOST_REQUIRE((fresh.get() == number || peer.get() == number));
        replacement = std::move(fresh.get() == number ? fresh : peer);
        loop.watch(number, EPOLLIN, [&](std::uint32_t events) { wrongly_called = (events & EPOLLHUP) == 0; });
    };
    bool replaced = false;
    loop.watch(first.get(), EPOLLIN, [&](std::uint32_t) {
        loop.forget(first.get());
        if (!std::exchange(replaced, true)) replace(second);
    });
    loop.watch(second.get(), EPOLLIN, [&](std::uint32_t) {
        loop.forget(second.get());
        if (!std::exchange(replaced, true)) replace(first);
    });
    run_until(loop, [&] { return replaced; });
    BOOST_TEST(!wrongly_called);
}

namespace {

void use_processor_for(std::chrono::milliseconds length) {
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    };
    const auto until = now() + length;
    while (now() < until) {
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_turn_that_takes_too_much_processor_time_is_reported) {
    EventLoop loop;
    std::vector<std::chrono::milliseconds> reported;
    loop.report_turns_over(50ms, [&](std::chrono::milliseconds took) { reported.push_back(took); });
    bool over = false;
    loop.after(0ms, [] { use_processor_for(60ms); });
    // Two short turns of one round are no long one, and waiting is no work.
    loop.after(1ms, [] { use_processor_for(30ms); });
    loop.after(1ms, [] { use_processor_for(30ms); });
    loop.after(100ms, [&] { over = true; });
    run_until(loop, [&] { return over; });
    BOOST_REQUIRE(reported.size() == 1U);
    BOOST_TEST((reported[0] >= 60ms));
}

BOOST_AUTO_TEST_CASE(a_round_asked_for_follows_without_an_event) {
    EventLoop loop;
    int left = 3;
    const auto limit = loop.after(10s, [&] { loop.stop(); });
    loop.at_end_of_round([&] {
        if (--left == 0) loop.stop();
        loop.go_round_again();
    });
    loop.go_round_again();
    loop.run();
    loop.cancel(limit);
    BOOST_TEST(left == 0);
    BOOST_TEST(loop.round() == 4U);
}

BOOST_AUTO_TEST_CASE(a_stop_signal_ends_the_loop) {
    EventLoop loop;
    loop.stop_on_signals();
    bool limit_reached = false;
    loop.after(10s, [&] {
        limit_reached = true;
        loop.stop();
    });
    ::kill(::getpid(), SIGTERM);
    loop.run();
    BOOST_TEST(!limit_reached);
    sigset_t stopping;
    ::sigemptyset(&stopping);
    ::sigaddset(&stopping, SIGTERM);
    ::sigaddset(&stopping, SIGINT);
    ::sigwaitinfo(&stopping, nullptr);  // it is still pending, and would end the test
    ::sigprocmask(SIG_UNBLOCK, &stopping, nullptr);
}

BOOST_AUTO_TEST_CASE(a_hangup_and_stray_signals_change_nothing) {
    EventLoop loop;
    ignore_stray_signals();
    loop.stop_on_signals();
    bool went_on = false;
    for (const int number : {SIGHUP, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2}) ::kill(::getpid(), number);
    loop.after(20ms, [&] {
        ::kill(::getpid(), SIGHUP);
        loop.after(20ms, [&] {
            went_on = true;
            loop.stop();
        });
    });
    loop.run();
    BOOST_TEST(went_on);
    reset_signals();
}

BOOST_AUTO_TEST_CASE(who_connects_while_descriptors_are_short_is_let_in_later) {
    const TemporaryDirectory directory;
    EventLoop loop;
    const auto listener = listen_at(directory.path + "/socket", SOCK_STREAM, 0600);
    std::vector<UniqueFd> let_in;
    loop.let_in(listener.get(), [&](UniqueFd connection) { let_in.push_back(std::move(connection)); });
    const auto first = connect_to(directory.path + "/socket", SOCK_STREAM);
    run_until(loop, [&] { return let_in.size() == 1; });

    const auto second = connect_to(directory.path + "/socket", SOCK_STREAM);
    rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{static_cast<rlim_t>(second.get()) + 1, before.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    std::vector<UniqueFd> all_others;
    for (int fd = 0; (fd = ::dup(0)) >= 0;) all_others.emplace_back(fd);
    const auto rounds = loop.round();
    bool later = false;
    loop.after(300ms, [&] { later = true; });
    run_until(loop, [&] { return later; });
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    BOOST_TEST(let_in.size() == 1U);
    // run_until() ends a round every two milliseconds.
    BOOST_TEST(loop.round() - rounds < 1000U);
    run_until(loop, [&] { return let_in.size() == 2; });
}

BOOST_AUTO_TEST_CASE(who_cannot_be_taken_in_does_not_end_the_loop) {
    const TemporaryDirectory directory;
    EventLoop loop;
    const auto listener = listen_at(directory.path + "/socket", SOCK_STREAM, 0600);
    int taken = 0;
    loop.let_in(listener.get(), [&](const UniqueFd&) {
        if (++taken == 1) throw_errno("watch a descriptor", ENOSPC);
    });
    const auto first = connect_to(directory.path + "/socket", SOCK_STREAM);
    const auto second = connect_to(directory.path + "/socket", SOCK_STREAM);
    run_until(loop, [&] { return taken == 2; });
}
