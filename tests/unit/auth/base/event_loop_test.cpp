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
    const auto c = loop.after(300ms, [&] { order += 'c'; });
    const auto a = loop.after(100ms, [&] { order += 'a'; });
    const auto b = loop.after(200ms, [&] { order += 'b'; });
    run_until(loop, [&] { return order.size() == 3; });
    BOOST_TEST(order == "abc");
}

BOOST_AUTO_TEST_CASE(a_timer_fires_once_and_is_then_not_set) {
    EventLoop loop;
    int fired = 0;
    EventLoop::Timer timer;
    BOOST_TEST(!timer.is_set());
    timer = loop.after(1ms, [&] {
        ++fired;
        BOOST_TEST(!timer.is_set());
    });
    BOOST_TEST(timer.is_set());
    bool later = false;
    const auto end = loop.after(20ms, [&] { later = true; });
    run_until(loop, [&] { return later; });
    BOOST_TEST(fired == 1);
    BOOST_TEST(!timer.is_set());
}

BOOST_AUTO_TEST_CASE(a_timer_that_is_destroyed_or_reassigned_does_not_fire) {
    EventLoop loop;
    std::string fired;
    {
        const auto destroyed = loop.after(1ms, [&] { fired += 'd'; });
    }
    auto reassigned = loop.after(1ms, [&] { fired += 'r'; });
    reassigned = loop.after(2ms, [&] { fired += 'n'; });
    auto emptied = loop.after(1ms, [&] { fired += 'e'; });
    emptied = {};
    BOOST_TEST(!emptied.is_set());
    bool later = false;
    const auto end = loop.after(20ms, [&] { later = true; });
    run_until(loop, [&] { return later; });
    BOOST_TEST(fired == "n");
}

BOOST_AUTO_TEST_CASE(a_moved_timer_fires_for_its_new_owner) {
    EventLoop loop;
    bool fired = false;
    auto timer = loop.after(1ms, [&] { fired = true; });
    std::vector<EventLoop::Timer> owner;
    owner.push_back(std::move(timer));
    BOOST_TEST(owner[0].is_set());
    timer = {};
    run_until(loop, [&] { return fired; });
}

BOOST_AUTO_TEST_CASE(a_timer_may_be_destroyed_or_set_anew_in_its_own_task) {
    EventLoop loop;
    std::string fired;
    auto destroyed = std::make_unique<EventLoop::Timer>();
    *destroyed = loop.after(0ms, [&, captured = std::string("destroyed")] {
        destroyed.reset();
        fired += captured;
    });
    EventLoop::Timer again;
    again = loop.after(1ms, [&, captured = std::string(" again")] {
        again = loop.after(1ms, [&] { fired += " and again"; });
        fired += captured;
    });
    run_until(loop, [&] { return fired == "destroyed again and again"; });
}

BOOST_AUTO_TEST_CASE(a_timer_may_cancel_another_that_is_due_as_well) {
    EventLoop loop;
    bool second = false;
    bool first = false;
    EventLoop::Timer cancelled;
    const auto timer = loop.after(0ms, [&] {
        first = true;
        cancelled = {};
    });
    cancelled = loop.after(0ms, [&] { second = true; });
    run_until(loop, [&] { return first; });
    BOOST_TEST(!second);
}

namespace {

// A socket with a packet to be read, and its Watch.
struct Watched {
    Watched() { BOOST_REQUIRE((send_packet(sockets.second.get(), "x") == Sent::Yes)); }

    std::pair<UniqueFd, UniqueFd> sockets = socket_pair(SOCK_SEQPACKET);
    UniqueFd& socket = sockets.first;
    EventLoop::Watch watch;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_watch_may_be_destroyed_in_its_own_handler_and_so_may_others_of_the_same_round) {
    EventLoop loop;
    auto one = std::make_unique<Watched>();
    auto two = std::make_unique<Watched>();
    std::string called;
    const auto destroy_both = [&, captured = std::string("once")](std::uint32_t) {
        one.reset();
        two.reset();
        called += captured;
    };
    one->watch = loop.watch(one->socket.get(), EPOLLIN, destroy_both);
    two->watch = loop.watch(two->socket.get(), EPOLLIN, destroy_both);
    run_until(loop, [&] { return !called.empty(); });
    BOOST_TEST(called == "once");
}

BOOST_AUTO_TEST_CASE(a_moved_watch_watches_for_its_new_owner_and_ends_with_it) {
    EventLoop loop;
    Watched watched;
    int called = 0;
    watched.watch = loop.watch(watched.socket.get(), EPOLLIN, [&](std::uint32_t) { ++called; });
    {
        EventLoop::Watch owner(std::move(watched.watch));
        watched.watch = {};
        run_until(loop, [&] { return called == 2; });
        owner.change(0);
        bool later = false;
        const auto timer = loop.after(10ms, [&] { later = true; });
        run_until(loop, [&] { return later; });
        BOOST_TEST(called == 2);
        owner.change(EPOLLIN);
        run_until(loop, [&] { return called == 3; });
    }
    // It may be watched anew, and the old handler hears nothing.
    bool heard = false;
    watched.watch = loop.watch(watched.socket.get(), EPOLLIN, [&](std::uint32_t) { heard = true; });
    run_until(loop, [&] { return heard; });
    BOOST_TEST(called == 3);
}

BOOST_AUTO_TEST_CASE(a_handler_may_hold_watches_and_timers_that_go_with_it) {
    EventLoop loop;
    Watched outer;
    Watched inner;
    bool called = false;
    auto held = std::make_shared<EventLoop::Watch>(
        loop.watch(inner.socket.get(), EPOLLIN, [&](std::uint32_t) { called = true; }));
    auto timer = std::make_shared<EventLoop::Timer>(loop.after(0ms, [&] { called = true; }));
    outer.watch = loop.watch(outer.socket.get(), EPOLLIN, [held = std::move(held), timer = std::move(timer)](auto) {});
    outer.watch = {};
    bool later = false;
    const auto end = loop.after(10ms, [&] { later = true; });
    run_until(loop, [&] { return later; });
    BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(what_is_served_meanwhile_waits_for_one_turn_and_not_for_all_of_the_round) {
    EventLoop loop;
    std::string order;
    Watched urgent;
    const auto busy = [&] {
        // It becomes readable in the middle of the first turn.
        if (order.empty())
            urgent.watch = loop.watch(
                urgent.socket.get(), EPOLLIN,
                [&](std::uint32_t) {
                    urgent.watch = {};
                    order += 'u';
                },
                EventLoop::Served::Meanwhile);
        order += 't';
        ::usleep(3'000);
    };
    std::vector<EventLoop::Timer> timers;
    for (int i = 0; i < 3; ++i) timers.push_back(loop.after(0ms, busy));
    ::usleep(2'000);
    loop.between_turns(1ms, [&] { loop.serve_ready(); });
    run_until(loop, [&] { return order.size() == 4; });
    BOOST_TEST(order == "tutt");
}

BOOST_AUTO_TEST_CASE(an_event_of_a_closed_descriptor_does_not_reach_the_next_with_its_number) {
    EventLoop loop;
    Watched first;
    Watched second;
    UniqueFd replacement;
    EventLoop::Watch replacements_watch;
    bool wrongly_called = false;
    // The first handler to run replaces the other's descriptor by one with the same number that has nothing to read.
    const auto replace = [&](Watched& other) {
        const int number = other.socket.get();
        other.watch = {};
        other.socket.reset();
        auto [fresh, peer] = socket_pair(SOCK_SEQPACKET);
        BOOST_REQUIRE((fresh.get() == number || peer.get() == number));
        replacement = std::move(fresh.get() == number ? fresh : peer);
        replacements_watch =
            loop.watch(number, EPOLLIN, [&](std::uint32_t events) { wrongly_called = (events & EPOLLHUP) == 0; });
    };
    bool replaced = false;
    first.watch = loop.watch(first.socket.get(), EPOLLIN, [&](std::uint32_t) {
        first.watch = {};
        if (!std::exchange(replaced, true)) replace(second);
    });
    second.watch = loop.watch(second.socket.get(), EPOLLIN, [&](std::uint32_t) {
        second.watch = {};
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
    loop.report_long_turns(50ms, [&](std::chrono::milliseconds took) { reported.push_back(took); });
    bool over = false;
    const auto one = loop.after(0ms, [] { use_processor_for(60ms); });
    // Two short turns of one round do not count as a long one, and waiting does not count at all.
    const auto two = loop.after(1ms, [] { use_processor_for(30ms); });
    const auto three = loop.after(1ms, [] { use_processor_for(30ms); });
    const auto end = loop.after(100ms, [&] { over = true; });
    run_until(loop, [&] { return over; });
    BOOST_REQUIRE(reported.size() == 1U);
    BOOST_TEST((reported[0] >= 60ms));
}

BOOST_AUTO_TEST_CASE(a_requested_round_follows_without_an_event) {
    EventLoop loop;
    int left = 3;
    const auto limit = loop.after(10s, [&] { loop.stop(); });
    loop.at_end_of_round([&] {
        if (--left == 0) loop.stop();
        loop.request_another_round();
    });
    loop.request_another_round();
    loop.run();
    BOOST_TEST(left == 0);
    BOOST_TEST(loop.round() == 4U);
}

BOOST_AUTO_TEST_CASE(a_stop_signal_ends_the_loop) {
    EventLoop loop;
    loop.stop_on_signals();
    bool limit_reached = false;
    const auto limit = loop.after(10s, [&] {
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
    EventLoop::Timer end;
    const auto again = loop.after(20ms, [&] {
        ::kill(::getpid(), SIGHUP);
        end = loop.after(20ms, [&] {
            went_on = true;
            loop.stop();
        });
    });
    loop.run();
    BOOST_TEST(went_on);
    reset_signals();
}

BOOST_AUTO_TEST_CASE(a_connection_made_while_descriptors_are_short_is_accepted_later) {
    const TemporaryDirectory directory;
    EventLoop loop;
    const auto listener = listen_at(directory.path + "/socket", SOCK_STREAM, 0600);
    std::vector<UniqueFd> accepted;
    const auto watch = loop.accept_connections(listener.get(),
                                               [&](UniqueFd connection) { accepted.push_back(std::move(connection)); });
    const auto first = connect_to(directory.path + "/socket", SOCK_STREAM);
    run_until(loop, [&] { return accepted.size() == 1; });

    const auto second = connect_to(directory.path + "/socket", SOCK_STREAM);
    rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{static_cast<rlim_t>(second.get()) + 1, before.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    std::vector<UniqueFd> all_others;
    for (int fd = 0; (fd = ::dup(0)) >= 0;) all_others.emplace_back(fd);
    const auto rounds = loop.round();
    bool later = false;
    const auto timer = loop.after(300ms, [&] { later = true; });
    run_until(loop, [&] { return later; });
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    BOOST_TEST(accepted.size() == 1U);
    // run_until() ends a round every two milliseconds.
    BOOST_TEST(loop.round() - rounds < 1000U);
    run_until(loop, [&] { return accepted.size() == 2; });
}

BOOST_AUTO_TEST_CASE(a_connection_that_cannot_be_taken_does_not_end_the_loop) {
    const TemporaryDirectory directory;
    EventLoop loop;
    const auto listener = listen_at(directory.path + "/socket", SOCK_STREAM, 0600);
    int taken = 0;
    const auto watch = loop.accept_connections(listener.get(), [&](const UniqueFd&) {
        if (++taken == 1) throw_errno("watch a descriptor", ENOSPC);
    });
    const auto first = connect_to(directory.path + "/socket", SOCK_STREAM);
    const auto second = connect_to(directory.path + "/socket", SOCK_STREAM);
    run_until(loop, [&] { return taken == 2; });
}
