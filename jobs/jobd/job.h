// A running task: jobd's side of the connections to the account's runner, to the coordinator that scans its files, and
// to authd, which starts the runner. What they report is written into the ledger; packets to them are sent only after
// the commit. A job may end at any moment, because its user can stop or kill the runner: then the task is queued again,
// or ended after three starts that made no progress.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "auth/authd/messages.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/packet_queue.h"
#include "jobs/jobd/ledger.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

struct JobContext {
    const Settings& config;
    EventLoop& loop;
    Ledger& ledger;
};

// Of a home or a file, for sentences.
inline constexpr const char* home_hangs = "does not answer: the file system that it is on hangs";
inline constexpr const char* files_do_not_answer =
    "files of the account do not answer: the file system of the home directory, or one that is mounted there, hangs";

// Whether what began at this running time of the host has exceeded the time that the administrator allows. The time of
// day does not matter: whoever sets the clock ends no job.
[[nodiscard]] bool is_overdue(const JobContext& context, std::int64_t begun_running_ms);

class Job {
 public:
    enum class End {
        None,       // it is running
        Over,       // the task has ended
        TurnOver,   // it resumes in its next turn
        Failed,     // this start failed through a fault of this job
        Postponed,  // something that every job needs is unavailable; not this job's fault
    };

    Job(const JobContext& context, AccountTask task);
    virtual ~Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    // Connects to authd and, if files are to be scanned, to the engine. A failure shows in end().
    void start();
    // Call it after each commit.
    void flush();

    [[nodiscard]] const Task& task() const noexcept { return task_.task; }
    [[nodiscard]] const AccountFacts& account() const noexcept { return task_.account; }
    // The host's running time when the task first began, in this start or an earlier one.
    [[nodiscard]] std::int64_t begun_running_ms() const noexcept { return begun_running_ms_; }
    [[nodiscard]] End end() const noexcept { return end_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] bool suspended() const noexcept { return suspended_; }
    // The account's files do not answer, so the job waits until they do.
    [[nodiscard]] bool files_hang() const noexcept { return files_hang_; }

    // How long the job has been waiting for the runner to make progress; 0 if the runner owes no answer.
    [[nodiscard]] Clock::duration runner_owes_answer_for() const;
    // The same, but StillWaiting counts as a sign of life: how long the runner has been silent.
    [[nodiscard]] Clock::duration runner_silent_for() const;
    // This start's use of shared resources: the time that it held its slot or the time that workers worked for it,
    // whichever is more.
    [[nodiscard]] Clock::duration used() const;
    [[nodiscard]] virtual std::string current_file() const { return {}; }

    // Others wait: the job may finish the files it has begun, within the time limit for a file; then end() is TurnOver.
    void ask_to_end_turn();

    // Called when the task has ended: removes what was kept for its next start.
    virtual void remove_leftovers() {}

    // Cancels the task. Only for scans.
    virtual void cancel() {}

    void fail(const std::string& why) { finish(End::Failed, why); }

 protected:
    // The runner's socket exists: queue the orders for it.
    virtual void begin() = 0;
    virtual void receive_from_runner(Packet& packet) = 0;
    virtual void receive_from_coordinator(Packet& packet) = 0;
    [[nodiscard]] virtual Clock::duration worked() const { return {}; }
    virtual void end_turn() = 0;
    // Called in each flush when the runner has taken everything so far.
    virtual void feed_runner() {}
    [[nodiscard]] virtual bool needs_engine() const { return true; }
    [[nodiscard]] virtual NewJob new_job() const { return {}; }
    // Whether the job is waiting for the runner.
    [[nodiscard]] virtual bool waits_for_runner() const = 0;
    virtual void runner_ended();

    void finish(End end, std::string why);
    void scanner_failed(const ScannerFailed& failed);
    void wait_for_files();
    // Calls `step` until it returns false, letting the event loop run in between if that takes long. Stops when the job
    // is destroyed.
    void in_pieces(std::function<bool()> step);
    // False if the coordinator is gone or its socket is full.
    template <class Message>
    [[nodiscard]] bool send_to_coordinator(Message&& message) {
        return coordinator_ && send_message(coordinator_.get(), std::forward<Message>(message)) == Sent::Yes;
    }
    // Closes the connection: nothing more is expected from the coordinator.
    void close_coordinator();
    [[nodiscard]] UniqueFd take_coordinator_for_runner() { return std::move(coordinator_for_runner_); }

    JobContext context_;
    AccountTask task_;
    std::int64_t begun_running_ms_;
    PacketQueue to_runner_;

 private:
    void connect_engine();
    void connect_authd();
    bool receive_from_authd();
    void receive(const UniqueFd& socket, void (Job::*take)(Packet&), void (Job::*gone)());
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
    bool coordinator_replied_ = false;
    bool suspended_ = false;
    bool files_hang_ = false;
    Deadline started_at_;
    Deadline last_progress_at_;
    Deadline last_packet_at_;
    std::optional<Deadline> turn_ends_at_;  // set when the job was asked to end its turn: its deadline
    End end_ = End::None;
    std::string why_;
};

}  // namespace clamscanner
