// clamscanner-agent: answers one account's requests, as that account. authd starts it and gives it, over descriptor 3,
// the pipes of each request; a responder holds their other ends, and neither its bytes nor its speed is trusted. Ends
// when authd closes descriptor 3.
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "auth/authd/messages.h"
#include "auth/base/checked.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/request_pipes.h"
#include "auth/base/service.h"
#include "auth/base/socket.h"
#include "handlers/agent/shared_replies.h"
#include "handlers/agent/statistics_actions.h"
#include "handlers/agent/token_scope.h"
#include "handlers/functions/router.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/frames.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

constexpr int control = 3;
// Requests are answered one after the other, so each gets only the time that an honest responder needs, which has the
// whole request before it asks for an agent.
constexpr auto request_timeout = std::chrono::seconds(5);
constexpr auto reply_timeout = std::chrono::seconds(15);

constexpr std::size_t most_together = 16;
constexpr std::size_t most_bytes_together = 1024 * 1024;  // of requests, and of replies

void refuse_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2]{};
    checked(::syscall(SYS_capget, &header, sets), "read the capabilities");
    const bool any = std::ranges::any_of(
        sets, [](const auto& set) { return (set.effective | set.permitted | set.inheritable) != 0; });
    if (any) die("this program must not have any capability");
}

struct Task {
    Serve serve;
    RequestPipes pipes;
    std::optional<Request> request;  // empty when none arrived
    std::optional<Reply> reply;
};

Asker asker_of(const Serve& serve, const Request& request) {
    const auto by = !serve.token.empty() ? AskedBy::Token : !serve.action.empty() ? AskedBy::Key : AskedBy::Owner;
    return {by, serve.token, request.client_address};
}

using Tasks = std::vector<Task>;

// Requests that wait for a job. Each has a thread and a connection to jobd of its own, so that the account's other
// requests are answered meanwhile.
class WaitingRequests {
 public:
    WaitingRequests(const Settings& config, const std::string& home, const std::string& user)
        : config_(config), home_(home), user_(user) {}

    // False if as many wait as may: an account has one job at a time.
    [[nodiscard]] bool take(Task& task) {
        waiting_.remove_if([](const Waiting& waiting) { return waiting.over.load(); });
        if (waiting_.size() >= most) return false;
        auto& waiting = waiting_.emplace_back();
        waiting.task = std::move(task);
        waiting.thread = std::jthread([this, &waiting] { answer(waiting); });
        return true;
    }

 private:
    static constexpr std::size_t most = 2;
    struct Waiting {
        Task task;
        std::atomic<bool> over = false;
        std::jthread thread;  // destroyed first
    };
    void answer(Waiting& waiting);

    const Settings& config_;
    const std::string& home_;
    const std::string& user_;
    std::list<Waiting> waiting_;
};

// Waits for the first task, then takes those that already wait. Empty when authd has closed the socket.
Tasks take_tasks() {
    Tasks tasks;
    Packet packet;
    while (tasks.size() < most_together &&
           receive_packet(control, packet, tasks.empty() ? 0 : MSG_DONTWAIT) == Got::Packet) {
        auto serve = decode<Serve>(packet.bytes);
        auto pipes = take_pipes(packet);
        // However they were made: a blocking read could hold up all requests behind it.
        for (const auto* pipe : {&pipes.request, &pipes.reply})
            checked(::fcntl(pipe->get(), F_SETFL, O_NONBLOCK), "make a pipe non-blocking");
        tasks.push_back({std::move(serve), std::move(pipes), std::nullopt, {}});
    }
    return tasks;
}

void read_request(Task& task) {
    try {
        std::string frame;
        const auto deadline = Clock::now() + request_timeout;
        if (read_frame(task.pipes.request.get(), frame, longest_request_frame, deadline) == Transfer::Done)
            task.request = decode<Request>(frame);
        if (task.request && task.serve.purpose == Purpose::Api)
            task.reply = refusal_beyond(task.serve.scope, *task.request);
    } catch (const std::exception& fault) {
        log_line(Severity::Warning, std::string("cannot read a request: ") + fault.what());
    }
}

// Reads as many requests as may be held in memory at a time.
std::size_t read_requests(std::span<Task> tasks) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < tasks.size() && bytes < most_bytes_together; ++count) {
        read_request(tasks[count]);
        if (tasks[count].request) bytes += tasks[count].request->body.size();
    }
    return count;
}

void send_reply(const Task& task) try {
    const auto deadline = Clock::now() + reply_timeout;
    if (task.reply) static_cast<void>(write_frame(task.pipes.reply.get(), encode(*task.reply).bytes(), deadline));
} catch (const std::system_error& fault) {
    log_line(Severity::Warning, std::string("cannot send a reply: ") + fault.what());
}

void WaitingRequests::answer(Waiting& waiting) try {
    JobsClient jobs(config_.jobs_socket());
    waiting.task.reply = answer_request({.config = config_,
                                         .home = home_,
                                         .jobs = jobs,
                                         .user = user_,
                                         .asker = asker_of(waiting.task.serve, *waiting.task.request)},
                                        *waiting.task.request);
    if (send_message(control, Served{1}) == Sent::Yes) send_reply(waiting.task);
    waiting.over = true;
} catch (const std::system_error& fault) {
    log_line(Severity::Warning, std::string("cannot answer a request: ") + fault.what());
    waiting.over = true;
}

void send_replies(std::span<Task> tasks) {
    // authd first: it must know that these requests are finished before the client can send its next one.
    if (send_message(control, Served{static_cast<std::uint32_t>(tasks.size())}) != Sent::Yes) return;
    for (auto& task : tasks) {
        send_reply(task);
        task = {};
    }
}

Reply answer(Caller caller, SharedReplies& shared, const Serve& serve, const Request& request) {
    caller.asker = asker_of(serve, request);
    caller.voucher = serve.voucher;
    if (serve.purpose == Purpose::Statistics) return answer_statistics(caller, serve, request);
    return shared.answer(caller, request);
}

// Answers as many as may have their replies held in memory at a time.
std::size_t answer_requests(const Caller& caller, SharedReplies& shared, std::span<Task> tasks) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < tasks.size() && bytes < most_bytes_together; ++count) {
        auto& task = tasks[count];
        if (task.request && !task.reply) task.reply = answer(caller, shared, task.serve, *task.request);
        if (task.reply) bytes += task.reply->body.size();
    }
    return count;
}

// The tasks that are to be answered at once, in front.
std::span<Task> without_waiting(std::span<Task> tasks, WaitingRequests& waiting) {
    const auto is_answered_at_once = [&](Task& task) {
        return task.reply || !(task.request && task.serve.purpose == Purpose::Api && waits_for_a_job(*task.request) &&
                               waiting.take(task));
    };
    std::size_t count = 0;
    for (auto& task : tasks)
        if (is_answered_at_once(task) && &tasks[count++] != &task) std::swap(tasks[count - 1], task);
    return tasks.first(count);
}

void serve_until_closed(const Settings& config, const std::string& home, const std::string& user) {
    JobsClient jobs(config.jobs_socket());
    JobsClient fleet(config.fleet_socket());
    SharedReplies shared;
    WaitingRequests waiting(config, home, user);
    for (;;) {
        auto tasks = take_tasks();
        if (tasks.empty()) return;
        for (std::span<Task> rest(tasks); !rest.empty();) {
            auto read = rest.first(read_requests(rest));
            rest = rest.subspan(read.size());
            read = without_waiting(read, waiting);
            shared.forget();
            while (!read.empty()) {
                const auto answered = answer_requests({.config = config,
                                                       .home = home,
                                                       .jobs = jobs,
                                                       .user = user,
                                                       .lifeline = control,
                                                       .may_wait = false,
                                                       .fleet = &fleet},
                                                      shared, read);
                send_replies(read.first(answered));
                read = read.subspan(answered);
            }
        }
    }
}

std::string home_given() {
    const char* home = ::getenv("HOME");
    if (home == nullptr || home[0] != '/') throw ConfigError("HOME is not an absolute path");
    return home;
}

std::string user_given() {
    const char* user = ::getenv("USER");
    if (user == nullptr) throw ConfigError("USER is not set");
    return user;
}

void run(const std::string& config_file) {
    refuse_root();
    refuse_capabilities();
    give_up_privileges();
    const auto config = read_settings(config_file);
    const auto home = home_given();
    set_blocking(control, true);
    ignore_stray_signals();
    serve_until_closed(config, home, user_given());
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    name_account_in_log(::getenv("USER"));
    static constexpr CommandForm form{
        .program = "clamscanner-agent",
        .purpose = "Answers one account's requests, as the account's user. clamscanner-authd starts it."};
    return run_daemon(form, argc, argv, run, {.wrong_configuration = 70});
}
