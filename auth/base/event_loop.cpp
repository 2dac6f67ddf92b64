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

constexpr int most_accepts_at_once = 64;  // then the other handlers run

std::chrono::nanoseconds processor_time() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

EventLoop::EventLoop(std::function<Deadline()> clock)
    : clock_(std::move(clock)),
      epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "make an event loop")),
      meanwhile_(checked(::epoll_create1(EPOLL_CLOEXEC), "make an event loop")) {}

void EventLoop::control(int operation, const Watch::Watched& watched, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = watched.serial;
    checked(::epoll_ctl(epoll_.get(), operation, watched.fd, &event), "watch a descriptor");
    if (watched.served == Served::Meanwhile)
        checked(::epoll_ctl(meanwhile_.get(), operation, watched.fd, &event), "watch a descriptor");
}

EventLoop::Watch EventLoop::watch(int fd, std::uint32_t events, Handler handler, Served served) {
    const Watch::Watched watched{fd, next_serial_++, served};
    control(EPOLL_CTL_ADD, watched, events);
    handlers_[watched.serial] = std::make_shared<Handler>(std::move(handler));
    return {this, watched};
}

void EventLoop::forget(const Watch::Watched& watched) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched.fd, nullptr);
    if (watched.served == Served::Meanwhile) ::epoll_ctl(meanwhile_.get(), EPOLL_CTL_DEL, watched.fd, nullptr);
    handlers_.extract(watched.serial);  // not erase(): the handler may hold Watches of ours, which then come here, too
}

EventLoop::Watch EventLoop::accept_connections(int listener, Take take) {
    const Watch::Watched watched{listener, next_serial_, Served::InRounds};  // as watch() will number it
    const auto let_some_in = [this, watched, take = std::move(take), pause = std::make_shared<Timer>()](std::uint32_t) {
        try {
            for (int i = 0; i < most_accepts_at_once; ++i) {
                auto connection = accept_from(watched.fd);
                if (!connection) return;
                take(std::move(connection));
            }
        } catch (const std::system_error& fault) {
            log_line(Severity::Error, fault.what());
            control(EPOLL_CTL_MOD, watched, 0);
            *pause = after(std::chrono::seconds(1), [this, watched] { control(EPOLL_CTL_MOD, watched, EPOLLIN); });
        }
    };
    return watch(listener, EPOLLIN, let_some_in);
}

EventLoop::Timer EventLoop::after(std::chrono::milliseconds delay, Task task) {
    const Timer::Key key{now() + delay, next_serial_++};
    timers_.emplace(key, std::move(task));
    return {this, key};
}

void EventLoop::stop_on_signals() {
    stops_ = listen_for_signals({SIGTERM, SIGINT, SIGQUIT});
    hangups_ = listen_for_signals({SIGHUP});
    stops_watch_ = watch(stops_.get(), EPOLLIN, [this](std::uint32_t) { stop(); });
    hangups_watch_ = watch(hangups_.get(), EPOLLIN, [this](std::uint32_t) {
        static_cast<void>(take_signal(hangups_.get()));
        if (reload_)
            reload_();
        else
            log_line(Severity::Info, "SIGHUP changes nothing: settings are read at the start only");
    });
}

void EventLoop::report_long_turns(std::chrono::milliseconds limit, Report report) {
    longest_turn_ = limit;
    report_ = std::move(report);
    begin_turn();
}

void EventLoop::begin_turn() {
    if (report_) turn_began_ = processor_time();
}

// The end of one turn is the start of the next, so that a turn costs one clock reading.
void EventLoop::end_turn() {
    if (!report_) return;
    const auto began = std::exchange(turn_began_, processor_time());
    const auto took = turn_began_ - began;
    if (took > longest_turn_) report_(std::chrono::duration_cast<std::chrono::milliseconds>(took));
}

int EventLoop::wait_milliseconds() const {
    if (again_) return 0;
    if (timers_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - now());
    return static_cast<int>(std::clamp<long long>(left.count(), 0, 3'600'000));
}

void EventLoop::run_due_timers() {
    const auto until = now();
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
        const auto due = timers_.extract(timers_.begin());  // kept alive while it runs
        due.mapped()();
        end_turn();
        pass_between_turns();
    }
}

void EventLoop::handle(const epoll_event& event) {
    const auto found = handlers_.find(event.data.u64);
    if (found == handlers_.end()) return;
    const auto handler = found->second;  // kept alive while it runs
    (*handler)(event.events);
    end_turn();
}

void EventLoop::serve_meanwhile(int done) {
    bool is_done = false;
    const Watch watch = this->watch(
        done, EPOLLIN, [&](std::uint32_t) { is_done = true; }, Served::Meanwhile);
    while (!is_done) serve_events_meanwhile(-1);
}

void EventLoop::serve_ready() {
    serve_events_meanwhile(0);
}

void EventLoop::serve_events_meanwhile(int timeout) {
    std::array<epoll_event, 128> events{};
    const int ready = ::epoll_wait(meanwhile_.get(), events.data(), static_cast<int>(events.size()), timeout);
    if (ready < 0 && errno != EINTR) throw_errno("wait for events");
    for (int i = 0; i < ready; ++i) handle(events[static_cast<std::size_t>(i)]);
}

void EventLoop::between_turns(std::chrono::milliseconds interval, Task task) {
    between_turns_interval_ = interval;
    between_turns_ = std::move(task);
}

void EventLoop::pass_between_turns() {
    if (!between_turns_ || Clock::now() - last_between_turns_ < between_turns_interval_) return;
    between_turns_();
    last_between_turns_ = Clock::now();
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
        last_between_turns_ = Clock::now();
        for (int i = 0; i < ready; ++i) {
            handle(events[static_cast<std::size_t>(i)]);
            pass_between_turns();
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
    return static_cast<int>(info.ssi_signo);
}

}  // namespace clamscanner
