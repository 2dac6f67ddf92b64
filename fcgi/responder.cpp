// clamscanner.fcgi: the only program that reads the network's bytes, as a system user of its own. Accepts FastCGI
// requests from the web server on a socket, has authd check logins, and passes each request to its account's agent and
// the reply back.
//
// Stops on SIGTERM, SIGINT, SIGQUIT and SIGUSR1, after answering the requests in progress.
#include <fcgiapp.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "fcgi/acceptor.h"
#include "fcgi/api_gateway.h"
#include "fcgi/client_headers.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

constexpr std::size_t threads_on_standard_input = 2;  // mod_fcgid gives a process one request at a time
constexpr auto stop_timeout = std::chrono::seconds(25);
constexpr auto stop_timeout_of_unread_bodies = std::chrono::seconds(2);
constexpr auto watch_interval = std::chrono::milliseconds(500);
constexpr auto fault_pause = std::chrono::milliseconds(250);
constexpr auto between_logged_faults = std::chrono::seconds(1);
constexpr auto pause_after_failure = std::chrono::seconds(1);

void serve(WebRequest& web, ApiGateway& gateway, const Settings& config, UniqueFd connection) {
    if (!web.begin(std::move(connection))) return;
    auto response = gateway.answer(web);
    response.challenges = !is_from_script(web);
    response.closes = !web.is_whole();
    web.answer(response, config.responder.realm, web.parameter("REQUEST_METHOD") != "HEAD");
    web.end();
}

// A fault that many threads meet, for as long as it lasts, is logged once a second.
void log_now_and_then(const char* fault) {
    static std::atomic<Clock::rep> not_before = Clock::duration::min().count();
    const auto now = Clock::now().time_since_epoch();
    auto due = not_before.load();
    const auto next = (now + between_logged_faults).count();
    if (now.count() >= due && not_before.compare_exchange_strong(due, next)) log_line(Severity::Error, fault);
}

// What all threads share.
struct Shared {
    Shared(const Settings& config, std::size_t threads)
        : bodies(threads), roots(config.login.uid_floor), page(config) {}
    BodyLimits bodies;
    DocumentRoots roots;
    const Page page;
    UnreadBodies unread;
};

// The main function of each thread.
void serve_until_stopped(const Settings& config, const Acceptor& acceptor, Shared& shared, Watch& watch) {
    const ThreadAcceptor connections(acceptor);
    ApiGateway gateway(config, shared.bodies, shared.roots, shared.page);
    WebRequest web(watch, shared.unread, std::chrono::seconds(config.responder.read_seconds));
    for (;;) {
        try {
            auto connection = connections.next();
            if (!connection) return;
            serve(web, gateway, config, std::move(connection));
        } catch (const std::exception& fault) {
            log_now_and_then(fault.what());
            // Most likely out of descriptors: an immediate retry would fail too.
            std::this_thread::sleep_for(fault_pause);
        }
    }
}

// The threads, and the watchdog over them.
class ThreadPool {
 public:
    ThreadPool(const Settings& config, const Acceptor& acceptor, std::size_t size)
        : shared_(config, size),
          watchdog_(size),
          ended_(checked(::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE), "count the threads that ended")) {
        for (auto& watch : watchdog_)
            threads_.emplace_back([this, &config, &acceptor, &watch] {
                serve_until_stopped(config, acceptor, shared_, watch);
                ::eventfd_write(ended_.get(), 1);
            });
    }
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // Runs the watchdog until `fd` is readable; false if the deadline passes first.
    [[nodiscard]] bool watch_until(int fd, Deadline deadline) {
        while (Clock::now() < deadline) {
            pollfd waiting{fd, POLLIN, 0};
            constexpr auto milliseconds = std::chrono::milliseconds(watch_interval).count();
            if (uninterrupted([&] { return ::poll(&waiting, 1, static_cast<int>(milliseconds)); }) > 0) return true;
            for (auto& watch : watchdog_) watch.check(Clock::now());
        }
        return false;
    }

    // False when some are still at work at the deadline.
    [[nodiscard]] bool join(Deadline deadline) {
        for (std::size_t i = 0; i < threads_.size(); ++i) {
            eventfd_t one = 0;
            if (!watch_until(ended_.get(), deadline)) return false;
            checked(::eventfd_read(ended_.get(), &one), "count the threads that ended");
        }
        for (auto& thread : threads_) thread.join();
        shared_.unread.finish(std::min(deadline, Clock::now() + stop_timeout_of_unread_bodies));
        return true;
    }

 private:
    Shared shared_;
    Watchdog watchdog_;
    UniqueFd ended_;
    std::vector<std::thread> threads_;
};

// libfcgi frees buffers that held a password without wiping them, so the allocator is told to overwrite freed memory.
void wipe_what_is_freed() {
#ifndef CLAMSCANNER_SANITIZED  // a sanitizer's allocator has no such option
    constexpr int filling = 0x5a;
    if (::mallopt(M_PERTURB, filling) != 1) throw_errno("have freed memory overwritten", ENOTSUP);
#endif
}

void run(const std::string& config_file) {
    refuse_root();
    give_up_privileges();
    const auto config = read_settings(config_file);
    require_to_run_as(config, "responder.users", config.responder.users);
    wipe_what_is_freed();
    Listener listener(config);  // before any other descriptor is opened: it may close inherited ones
    occupy_standard_descriptors();
    // libfcgi changes only signals that have their default handler.
    ignore_stray_signals();
    const auto signals = listen_for_signals({SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP});
    if (FCGX_Init() != 0) throw_errno("initialise libfcgi", EINVAL);
    Acceptor acceptor(listener);
    ThreadPool pool(config, acceptor,
                    listener.is_on_standard_input() ? threads_on_standard_input : config.responder.threads);
    report_ready();
    for (;;) {
        static_cast<void>(pool.watch_until(signals.get(), Deadline::max()));
        if (take_signal(signals.get()) != SIGHUP) break;
        log_line(Severity::Info, "SIGHUP changes nothing in a responder: restart it when a setting of its changed");
    }
    notify_supervisor("STOPPING=1");
    listener.withdraw();
    acceptor.stop();
    if (!pool.join(Clock::now() + stop_timeout)) die("requests were still in progress when the time to stop was over");
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    static constexpr clamscanner::CommandForm form{
        .program = "clamscanner.fcgi",
        .purpose = "Answers the web server's FastCGI requests. A user of responder.users runs it."};
    const int status = clamscanner::run_daemon(form, argc, argv, clamscanner::run);
    // systemd's socket unit restarts us at once for each waiting connection, whatever delay our own unit has, and gives
    // up for good when that happens too often. So wait before exiting.
    if (status != 0) std::this_thread::sleep_for(clamscanner::pause_after_failure);
    return status;
}
