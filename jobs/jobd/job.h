// A task while it runs: jobd's side of the conversations with the account's runner, with the coordinator that judges
// its files, and with authd, which started the runner. What they say is written into the ledger; what is said to them
// goes out only after that was committed. A job may end at any moment, its runner stopped or killed by its own user:
// then the task is queued again, or, after three starts that came to nothing, ended.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "auth/authd/messages.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "jobs/jobd/ledger.h"
#include "jobs/jobd/packet_queue.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

struct JobSurroundings {
    const Settings& config;
    EventLoop& loop;
    Ledger& ledger;
};

// Whether what began then has taken as long as the administrator allows a job.
[[nodiscard]] bool is_overdue(const Settings& config, std::int64_t begun_ms);

class Job {
 public:
    enum class End {
        Not,        // it runs
        Over,       // the task has ended
        TurnOver,   // it goes on when it has its turn again
        Failed,     // this start came to nothing through a fault of this job
        Postponed,  // something that every job needs is not there now; nobody's fault
    };

    Job(const JobSurroundings& surroundings, AccountTask task);
    virtual ~Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    // Connects to authd and, if files are to be judged, to the engine. Whatever fails shows in end().
    void start();
    // To be called after each commit.
    void flush();

    [[nodiscard]] const Task& task() const noexcept { return task_.task; }
    [[nodiscard]] const AccountFacts& account() const noexcept { return task_.account; }
    // When the task was begun, this start or an earlier one.
    [[nodiscard]] std::int64_t begun_ms() const noexcept { return begun_ms_; }
    [[nodiscard]] End end() const noexcept { return end_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] bool suspended() const noexcept { return suspended_; }

    // How long the account's own process has kept the job waiting.
    [[nodiscard]] Clock::duration kept_waiting() const;
    // The same, but a runner that says that it waits for another program does not stand still.
    [[nodiscard]] Clock::duration stood_still() const;
    // What this start has taken of what all share: how long it held its place, or how long workers worked for it,
    // whichever is more.
    [[nodiscard]] Clock::duration used() const;
    [[nodiscard]] virtual std::string current_file() const { return {}; }

    // Others wait: what is begun may be finished, for as long as a file may take; then end() is TurnOver.
    void ask_to_end_turn();

    // The task has ended: what was kept for a next start is not needed any more.
    virtual void clear_away() {}

    // Its owner does not want it any more. Only for scans.
    virtual void cancel() {}

    void fail(const std::string& why) { finish(End::Failed, why); }

 protected:
    // The runner is there (its socket, at least): tell it what to do.
    virtual void begin() = 0;
    virtual void hear_runner(Packet& packet) = 0;
    virtual void hear_coordinator(Packet& packet) = 0;
    [[nodiscard]] virtual Clock::duration worked() const { return {}; }
    virtual void end_turn() = 0;
    // Called in each flush when the runner has taken everything so far.
    virtual void feed_runner() {}
    [[nodiscard]] virtual bool needs_engine() const { return true; }
    [[nodiscard]] virtual NewJob new_job() const { return {}; }
    // Whether it is the runner that must do something now.
    [[nodiscard]] virtual bool waits_for_runner() const = 0;
    virtual void runner_ended();

    void finish(End end, std::string why);
    // Calls `step` until it returns false, with what others have to do in between when that takes long. Not any more
    // once the job is gone.
    void in_pieces(std::function<bool()> step);
    // False when it is gone, or takes nothing.
    template <class Message>
    [[nodiscard]] bool tell_coordinator(Message&& message) {
        return coordinator_ && send_message(coordinator_.get(), std::forward<Message>(message)) == Sent::Yes;
    }
    // Both closed or ended: nothing more is awaited of the coordinator.
    void dismiss_coordinator();
    [[nodiscard]] UniqueFd take_coordinator_for_runner() { return std::move(coordinator_for_runner_); }

    JobSurroundings surroundings_;
    AccountTask task_;
    std::int64_t begun_ms_;
    PacketQueue to_runner_;

 private:
    void connect_engine();
    void connect_authd();
    void hear_authd();
    void hear(const UniqueFd& socket, void (Job::*take)(Packet&), void (Job::*gone)());
    void coordinator_gone();
    void runner_gone() { runner_ended(); }
    void watch_runner();

    UniqueFd runner_;
    UniqueFd coordinator_;
    UniqueFd coordinator_for_runner_;
    UniqueFd authd_;
    EventLoop::Watch runner_watch_;
    EventLoop::Watch coordinator_watch_;
    EventLoop::Watch authd_watch_;
    EventLoop::Timer next_piece_;
    bool runner_writable_ = true;
    bool runner_started_ = false;
    bool coordinator_spoke_ = false;
    bool suspended_ = false;
    Deadline started_at_;
    Deadline moved_at_;
    Deadline heard_at_;
    std::optional<Deadline> turn_ends_at_;  // it was asked to end its turn, and has until then
    End end_ = End::Not;
    std::string why_;
};

}  // namespace clamscanner
