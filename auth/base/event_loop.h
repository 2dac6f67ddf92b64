// The event loop of each daemon: descriptors, timers and a callback after each round. Single-threaded.
//
// What is watched, and what is to be done later, ends with the object that the loop gave for it: a Watch or a Timer,
// which only moves. It may be destroyed at any time, by its own handler too (what that captured lives until it
// returns). Then the handler is not called any more: neither for events that were already fetched, nor for another
// descriptor that has got the number meanwhile. In an assignment the new one begins before the old one ends.
//
// The loop must outlive its Watches and Timers, and a Watch must be destroyed before its descriptor is closed: declare
// it after the descriptor. A forked child shares the epoll instance, so it must not destroy its copies: it ends by
// exec or _exit().
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {

class EventLoop {
 public:
    using Handler = std::function<void(std::uint32_t events)>;
    using Task = std::function<void()>;

    // Whether a descriptor is served in the middle of a round, too: by serve_meanwhile() and serve_ready().
    enum class Served : std::uint8_t { InRounds, Meanwhile };

    class Watch {
     public:
        Watch() = default;
        void change(std::uint32_t events) { loop_->control(EPOLL_CTL_MOD, loop_.get_deleter(), events); }

     private:
        friend EventLoop;
        struct Watched {  // as the deleter of `loop_` it forgets itself
            int fd;
            std::uint64_t serial;
            Served served;
            void operator()(EventLoop* loop) const { loop->forget(*this); }
        };
        Watch(EventLoop* loop, Watched watched) : loop_(loop, watched) {}
        std::unique_ptr<EventLoop, Watched> loop_;
    };

    class Timer {
     public:
        Timer() = default;
        // It fires once. From then on, so already in its own task, it is not set.
        [[nodiscard]] bool is_set() const { return loop_ && loop_->timers_.contains(loop_.get_deleter().key); }

     private:
        friend EventLoop;
        using Key = std::pair<Deadline, std::uint64_t>;
        struct Cancel {
            Key key;
            void operator()(EventLoop* loop) const { loop->timers_.extract(key); }
        };
        Timer(EventLoop* loop, Key key) : loop_(loop, {key}) {}
        std::unique_ptr<EventLoop, Cancel> loop_;
    };

    // A test may bring a clock of its own, which timers then go by.
    explicit EventLoop(std::function<Deadline()> clock = &Clock::now);
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // One Watch for a descriptor at a time: another one of the same throws.
    [[nodiscard]] Watch watch(int fd, std::uint32_t events, Handler handler, Served served = Served::InRounds);
    [[nodiscard]] Timer after(std::chrono::milliseconds delay, Task task);

    // Lets in whoever connects to `listener`, which is non-blocking. While there are no descriptors or no memory to do
    // so (accept4() or `take` throws std::system_error) it is not listened to for a second at a time: the daemon
    // neither ends nor spins, and who waits is let in later.
    using Take = std::function<void(UniqueFd connection)>;
    [[nodiscard]] Watch accept_connections(int listener, Take take);

    [[nodiscard]] Deadline now() const { return clock_(); }

    // A different number in each round. Everything that a round handles happened before the round began.
    [[nodiscard]] std::uint64_t round() const noexcept { return round_; }
    // Called once after the handlers of each round.
    void at_end_of_round(Task task) { end_of_round_ = std::move(task); }
    // Called between the handlers and timers of a round when the last one, or those since the last call, took longer
    // than `interval`: what is urgent can be done then, in turns of its own (serve_ready()).
    void between_turns(std::chrono::milliseconds interval, Task task);

    // Starts another round without waiting: there is more to do, but other events come first.
    void request_another_round() { again_ = true; }

    // Reports every turn (of a handler, a timer, or the end of a round) that takes more than `limit` of this thread's
    // processor time: nobody else was served meanwhile.
    using Report = std::function<void(std::chrono::milliseconds took)>;
    void report_long_turns(std::chrono::milliseconds limit, Report report);

    // In the middle of a round: serves what is watched as Meanwhile, each as a turn of its own, until `done` is
    // readable. No other handler and no timer runs, and it is no round.
    void serve_meanwhile(int done);
    // The same for what is ready now, without waiting.
    void serve_ready();

    // Ends run() on SIGTERM, SIGINT and SIGQUIT. On SIGHUP, calls what reload_on_hangup() was given, or logs that it
    // changes nothing. All are blocked for the whole process from here on (children unblock them).
    void stop_on_signals();
    void reload_on_hangup(Task reload) { reload_ = std::move(reload); }

    void run();
    void stop() { running_ = false; }

 private:
    void control(int operation, const Watch::Watched& watched, std::uint32_t events) const;
    void handle(const epoll_event& event);
    void forget(const Watch::Watched& watched);
    void run_due_timers();
    void serve_events_meanwhile(int timeout);
    void pass_between_turns();
    void begin_turn();
    void end_turn();
    [[nodiscard]] int wait_milliseconds() const;

    std::function<Deadline()> clock_;
    UniqueFd epoll_;
    UniqueFd meanwhile_;  // the same for what is served meanwhile
    std::uint64_t next_serial_ = 1;
    // By serial, not descriptor: another may have its number before the events that were fetched are handled.
    std::unordered_map<std::uint64_t, std::shared_ptr<Handler>> handlers_;
    std::map<Timer::Key, Task> timers_;
    UniqueFd stops_;
    UniqueFd hangups_;
    Watch stops_watch_;
    Watch hangups_watch_;
    Task end_of_round_;
    Task between_turns_;
    std::chrono::milliseconds between_turns_interval_{};
    Deadline last_between_turns_{};
    Task reload_;
    bool again_ = false;
    Report report_;  // empty: not measured
    std::chrono::nanoseconds longest_turn_{};
    std::chrono::nanoseconds turn_began_{};
    std::uint64_t round_ = 1;
    bool running_ = false;
};

// The signal mask that a child starts with, whatever its parent had blocked or ignored. Async-signal-safe.
void reset_signals() noexcept;

// Ignores signals that mean nothing to a daemon, such as one to its whole process group, or from a script that mistakes
// it for another program. Signals that listen_for_signals() blocks still arrive there. Async-signal-safe.
void ignore_stray_signals() noexcept;

// Blocks these signals, also for threads made later, and returns a descriptor (signalfd(2)) that is readable when one
// is pending.
[[nodiscard]] UniqueFd listen_for_signals(std::initializer_list<int> numbers);
// The number of a pending signal, or 0.
[[nodiscard]] int take_signal(int signals);

}  // namespace clamscanner
