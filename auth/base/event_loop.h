// The one loop of each daemon: descriptors, timers and an end of every round. Single-threaded; a handler may forget any
// descriptor, itself included, while it runs.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <unordered_map>

#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {

class EventLoop {
 public:
    using Handler = std::function<void(std::uint32_t events)>;
    using Task = std::function<void()>;
    using TimerId = std::uint64_t;

    EventLoop();

    // The loop does not own `fd`: forget() it before it is closed.
    void watch(int fd, std::uint32_t events, Handler handler);
    void change(int fd, std::uint32_t events);
    void forget(int fd);

    // Lets in whoever connects to `listener`, which is non-blocking. While there are no descriptors or no memory to do
    // so (accept4() or `take` throws std::system_error) it is not listened to for a second at a time: the daemon
    // neither ends nor spins, and who waits is let in later. Both must live as long as the loop runs.
    using Take = std::function<void(UniqueFd connection)>;
    void let_in(int listener, Take take);

    TimerId after(std::chrono::milliseconds delay, Task task);
    void cancel(TimerId timer);

    // Another number in each round. What is handled in one round had happened when it began.
    [[nodiscard]] std::uint64_t round() const noexcept { return round_; }
    // Called once after the handlers of each round.
    void at_end_of_round(Task task) { end_of_round_ = std::move(task); }

    // Another round follows this one at once: there is more to do, after what others have to do meanwhile.
    void go_round_again() { again_ = true; }

    // Reports every turn (of a handler, a timer, or the end of a round) that takes more of this thread's processor time
    // than that: nobody else was served meanwhile.
    using Report = std::function<void(std::chrono::milliseconds took)>;
    void report_turns_over(std::chrono::milliseconds limit, Report report);

    // Ends run() on SIGTERM, SIGINT and SIGQUIT, and says on SIGHUP that it changes nothing. All are blocked for the
    // whole process from here on (children unblock them).
    void stop_on_signals();

    void run();
    void stop() { running_ = false; }

 private:
    void run_due_timers();
    void begin_turn();
    void end_turn();
    [[nodiscard]] int wait_milliseconds() const;

    UniqueFd epoll_;
    UniqueFd stops_;
    UniqueFd hangups_;
    std::uint64_t next_serial_ = 1;
    std::unordered_map<int, std::uint64_t> serial_of_;
    // By serial, not descriptor: an event that was already fetched for a closed descriptor must not reach the handler
    // of another that has its number now.
    std::unordered_map<std::uint64_t, std::shared_ptr<Handler>> handlers_;
    std::map<std::pair<Deadline, TimerId>, Task> timers_;
    std::unordered_map<TimerId, Deadline> timer_deadlines_;
    TimerId next_timer_ = 1;
    Task end_of_round_;
    bool again_ = false;
    Report report_;  // empty: nobody measures
    std::chrono::nanoseconds longest_turn_{};
    std::chrono::nanoseconds turn_began_{};
    std::uint64_t round_ = 1;
    bool running_ = false;
};

// The signal mask that a child starts with, whatever its parent had blocked or ignored. Async-signal-safe.
void reset_signals() noexcept;

// A daemon does not end for a signal that means nothing to it, such as one to its whole process group, or of a script
// that takes it for another program. Those that are listened for come all the same. Async-signal-safe.
void ignore_stray_signals() noexcept;

// Blocks them, for the threads made from here on too, and gives a descriptor (signalfd(2)) that tells when one is
// there.
[[nodiscard]] UniqueFd listen_for_signals(std::initializer_list<int> numbers);
// The number of one that is there; 0: none is. SIGHUP is logged: a daemon that reads its settings at the start only
// has nothing else to do about it.
int take_signal(int signals);

}  // namespace clamscanner
