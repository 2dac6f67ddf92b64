#include "auth/base/event_loop.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr int let_in_at_once = 64;  // others in the loop want their turn

std::chrono::nanoseconds processor_time() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

EventLoop::EventLoop() : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "make an event loop")) {}

void EventLoop::watch(int fd, std::uint32_t events, Handler handler) {
    const auto serial = next_serial_++;
    epoll_event event{};
    event.events = events;
    event.data.u64 = serial;
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "watch a descriptor");
    serial_of_[fd] = serial;
    handlers_[serial] = std::make_shared<Handler>(std::move(handler));
}

void EventLoop::change(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = serial_of_.at(fd);
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event), "watch a descriptor for something else");
}

void EventLoop::forget(int fd) {
    const auto found = serial_of_.find(fd);
    if (found == serial_of_.end()) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    handlers_.erase(found->second);
    serial_of_.erase(found);
}

void EventLoop::let_in(int listener, Take take) {
    watch(listener, EPOLLIN, [this, listener, take](std::uint32_t) {
        try {
            for (int i = 0; i < let_in_at_once; ++i) {
                auto connection = accept_from(listener);
                if (!connection) return;
                take(std::move(connection));
            }
        } catch (const std::system_error& fault) {
            log_line(Severity::Error, fault.what());
            forget(listener);
            after(std::chrono::seconds(1), [this, listener, take] { let_in(listener, take); });
        }
    });
}

EventLoop::TimerId EventLoop::after(std::chrono::milliseconds delay, Task task) {
    const auto id = next_timer_++;
    const auto deadline = Clock::now() + delay;
    timers_.emplace(std::pair(deadline, id), std::move(task));
    timer_deadlines_.emplace(id, deadline);
    return id;
}

void EventLoop::cancel(TimerId timer) {
    const auto found = timer_deadlines_.find(timer);
    if (found == timer_deadlines_.end()) return;
    timers_.erase({found->second, timer});
    timer_deadlines_.erase(found);
}

void EventLoop::stop_on_signals() {
    stops_ = listen_for_signals({SIGTERM, SIGINT, SIGQUIT});
    hangups_ = listen_for_signals({SIGHUP});
    watch(stops_.get(), EPOLLIN, [this](std::uint32_t) { stop(); });
    watch(hangups_.get(), EPOLLIN, [this](std::uint32_t) { take_signal(hangups_.get()); });
}

void EventLoop::report_turns_over(std::chrono::milliseconds limit, Report report) {
    longest_turn_ = limit;
    report_ = std::move(report);
    begin_turn();
}

void EventLoop::begin_turn() {
    if (report_) turn_began_ = processor_time();
}

// The next one begins with it, so that a turn costs one look at the clock.
void EventLoop::end_turn() {
    if (!report_) return;
    const auto began = std::exchange(turn_began_, processor_time());
    const auto took = turn_began_ - began;
    if (took > longest_turn_) report_(std::chrono::duration_cast<std::chrono::milliseconds>(took));
}

int EventLoop::wait_milliseconds() const {
    if (again_) return 0;
    if (timers_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now());
    return static_cast<int>(std::clamp<long long>(left.count(), 0, 3'600'000));
}

void EventLoop::run_due_timers() {
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto due = timers_.extract(timers_.begin());
        timer_deadlines_.erase(due.key().second);
        due.mapped()();
        end_turn();
    }
}

void EventLoop::run() {
    running_ = true;
    std::array<epoll_event, 128> events{};
    while (running_) {
        const int ready =
            ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_milliseconds());
        if (ready < 0 && errno != EINTR) throw_errno("wait for events");
        ++round_;
        again_ = false;
        begin_turn();
        for (int i = 0; i < ready; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const auto found = handlers_.find(event.data.u64);
            if (found == handlers_.end()) continue;
            const auto handler = found->second;  // kept alive while it runs
            (*handler)(event.events);
            end_turn();
        }
        run_due_timers();
        if (end_of_round_) end_of_round_();
        end_turn();
    }
}

void reset_signals() noexcept {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void ignore_stray_signals() noexcept {
    for (const int number : {SIGHUP, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO})
        ::signal(number, SIG_IGN);
}

UniqueFd listen_for_signals(std::initializer_list<int> numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : numbers) ::sigaddset(&set, number);
    checked(::sigprocmask(SIG_BLOCK, &set, nullptr), "block signals");
    return UniqueFd(checked(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "listen for signals"));
}

int take_signal(int signals) {
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) != sizeof info) return 0;
    if (info.ssi_signo == SIGHUP) log_line(Severity::Info, "SIGHUP changes nothing: settings are read at start only");
    return static_cast<int>(info.ssi_signo);
}

}  // namespace clamscanner
