// A thread of its own for the calls to PostgreSQL, so that the event loop never waits for a server that is slow, gone
// or failing over. What is asked for is done one after the other, over one connection, which is opened when it is
// needed.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "auth/base/event_loop.h"
#include "auth/base/unique_fd.h"
#include "jobs/fleet/postgres.h"

namespace clamscanner {

class DatabaseThread {
 public:
    // What becomes of work whose connection turns out to be gone, as all are after a restart of the server: whether it
    // is done once more, over a new one.
    enum class IfGone : std::uint8_t { GiveUp, TryAgain };
    // Block signals before: the thread inherits that. `loop` must outlive this.
    DatabaseThread(EventLoop& loop, std::string database, IfGone if_gone);
    ~DatabaseThread();
    DatabaseThread(const DatabaseThread&) = delete;
    DatabaseThread& operator=(const DatabaseThread&) = delete;

    // Waits for what is under way, and does nothing any more: for the end of the process, while all that the work uses
    // is there.
    void stop();

    // Runs `work` in the thread, then gives what it returns to `done`, in the loop; nothing if it failed, which the log
    // then says. What a statement had locked is lost with the connection.
    template <class Work, class Done>
    void ask(Work work, Done done) {
        using Result = std::invoke_result_t<Work, Postgres&>;
        auto result = std::make_shared<std::optional<Result>>();
        add({[result, work = std::move(work)](Postgres& postgres) mutable { *result = work(postgres); },
             [result, done = std::move(done)]() mutable { done(std::move(*result)); }});
    }

    // How often a connection was opened: what held in the one before may hold no more. For use in the thread.
    [[nodiscard]] std::uint64_t connection() const noexcept { return connections_; }

 private:
    struct Job {
        std::function<void(Postgres& postgres)> work;  // in the thread
        std::function<void()> done;                    // in the loop
    };
    void add(Job job);
    void work();
    void try_out(const Job& job);
    [[nodiscard]] bool has_lost_connection(const Job& job);
    void say(const std::string& fault);
    void say_that_it_is_back();
    void finish();

    const std::string database_;
    const IfGone if_gone_;
    std::unique_ptr<Postgres> postgres_;  // the thread's
    std::uint64_t connections_ = 0;       // the thread's
    bool is_lost_ = false;                // the thread's: the log says that there is no connection
    Deadline said_ = {};                  // the thread's
    UniqueFd finished_;                   // an eventfd
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;                     // under mutex_
    std::vector<std::function<void()>> done_;  // under mutex_
    bool stopping_ = false;                    // under mutex_
    EventLoop::Watch watch_;
    std::thread thread_;
};

}  // namespace clamscanner
