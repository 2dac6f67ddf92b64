#include "jobs/jobd/job.h"

#include <utility>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {

namespace {

constexpr auto grace_for_turns = std::chrono::seconds(30);
// What is done for one job before others have their turn.
constexpr std::size_t packets_at_once = 64;
constexpr auto longest_piece = std::chrono::milliseconds(5);

}  // namespace

bool is_overdue(const Settings& config, std::int64_t begun_ms) {
    return now_ms() - begun_ms > static_cast<std::int64_t>(config.jobs.max_job_hours) * hour_ms;
}

Job::Job(const JobSurroundings& surroundings, AccountTask task)
    : surroundings_(surroundings),
      task_(std::move(task)),
      // Of a task that has ended, only its log is copied.
      begun_ms_(task_.task.begun_ms == 0 || task_.task.state == TaskState::Ended ? now_ms() : task_.task.begun_ms),
      started_at_(Clock::now()),
      moved_at_(started_at_),
      heard_at_(started_at_) {}

void Job::finish(End end, std::string why) {
    if (end_ != End::Not) return;
    end_ = end;
    why_ = std::move(why);
}

void Job::start() {
    try {
        if (needs_engine()) connect_engine();
        connect_authd();
        begin();
    } catch (const std::system_error& fault) {
        log_line(Severity::Warning, std::string("a job waits: ") + fault.what());
        finish(End::Postponed, "the scanner is starting or gone; it will be tried again");
    }
}

void Job::connect_engine() {
    coordinator_ = connect_to(surroundings_.config.engine_socket(), SOCK_SEQPACKET);
    set_blocking(coordinator_.get(), false);
    auto [for_coordinator, for_runner] = socket_pair(SOCK_SEQPACKET);
    if (send_message(coordinator_.get(), new_job(), {for_coordinator.get()}) != Sent::Yes)
        throw_errno("hand a job to the engine", ECONNREFUSED);
    coordinator_for_runner_ = std::move(for_runner);
    coordinator_watch_ = surroundings_.loop.watch(coordinator_.get(), EPOLLIN, [this](std::uint32_t) {
        hear(coordinator_, &Job::hear_coordinator, &Job::coordinator_gone);
    });
}

void Job::connect_authd() {
    authd_ = connect_to(surroundings_.config.runner_socket(), SOCK_SEQPACKET);
    set_blocking(authd_.get(), false);
    auto [ours, theirs] = socket_pair(SOCK_SEQPACKET);
    const HomeIdentity home{false, account().file_system, account().inode, account().born_ns};
    if (send_message(authd_.get(), StartRunner{account().uid, account().name, home}, {theirs.get()}) != Sent::Yes)
        throw_errno("ask authd for a runner", ECONNREFUSED);
    runner_ = std::move(ours);
    set_blocking(runner_.get(), false);
    authd_watch_ = surroundings_.loop.watch(authd_.get(), EPOLLIN, [this](std::uint32_t) { hear_authd(); });
    watch_runner();
}

void Job::watch_runner() {
    runner_watch_ = surroundings_.loop.watch(runner_.get(), EPOLLIN, [this](std::uint32_t events) {
        if ((events & EPOLLOUT) != 0) {
            runner_writable_ = true;
            runner_watch_.change(EPOLLIN);
        }
        if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) hear(runner_, &Job::hear_runner, &Job::runner_gone);
    });
}

// As much as a peer said at once, but not for ever: other jobs want their turn.
void Job::hear(const UniqueFd& socket, void (Job::*take)(Packet&), void (Job::*gone)()) {
    constexpr int at_once = 64;
    const auto until = Clock::now() + longest_piece;
    Packet packet;
    try {
        for (int i = 0; i < at_once && socket && end_ == End::Not && heard_at_ < until; ++i) {
            const Got got = receive_packet(socket.get(), packet);
            if (got == Got::WouldBlock) return;
            if (got == Got::PeerGone) {
                (this->*gone)();
                return;
            }
            heard_at_ = Clock::now();
            if (&socket == &coordinator_) coordinator_spoke_ = true;
            if (is<StillWaiting>(packet.bytes)) continue;
            moved_at_ = heard_at_;
            (this->*take)(packet);
        }
    } catch (const Malformed& wrong) {
        log_line(Severity::Warning, "a job of " + printable(account().name) + " ends: " + wrong.what());
        finish(End::Failed, "the scan's own processes misunderstood each other");
    }
}

void Job::hear_authd() {
    Packet packet;
    try {
        const Got got = receive_packet(authd_.get(), packet);
        if (got == Got::WouldBlock) return;
        if (got == Got::PeerGone) {
            // authd may be restarted while a runner works; the runner's own socket tells when it ends.
            authd_watch_ = {};
            authd_.reset();
            return;
        }
        switch (decode<RunnerAnswer>(packet.bytes).verdict) {
            case RunnerVerdict::Started:
                runner_started_ = true;
                return;
            case RunnerVerdict::Suspended:
                suspended_ = true;
                finish(End::Postponed, "the account is suspended; the task goes on when it is active again");
                return;
            case RunnerVerdict::NoAccount:
                finish(End::Failed, "there is no such account any more");
                return;
            case RunnerVerdict::Unavailable:
                finish(End::Postponed, "the scanner cannot start now; it will be tried again");
                return;
        }
    } catch (const Malformed& wrong) {
        finish(End::Postponed, std::string("authd: ") + wrong.what());
    }
}

void Job::coordinator_gone() {
    // Without a word it was never begun: the engine had no process, no descriptor or no disk for it, or ended itself.
    // However often that is so, it is not the job's fault.
    if (coordinator_for_runner_ || !coordinator_spoke_)
        finish(End::Postponed, "the virus scanner cannot begin now or was restarted; it will be tried again");
    else
        finish(End::Failed, "the virus scanner ended in the middle of the job");
}

void Job::runner_ended() {
    // authd's word why there is no runner may still be on its way, and says more than the closed socket.
    if (authd_) hear_authd();
    if (!runner_started_) finish(End::Postponed, "the scanner is starting or gone; it will be tried again");
    finish(End::Failed, "the process that works in the home was ended from outside");
}

void Job::dismiss_coordinator() {
    coordinator_watch_ = {};
    coordinator_.reset();
}

Clock::duration Job::kept_waiting() const {
    return waits_for_runner() || !to_runner_.empty() ? Clock::now() - moved_at_ : Clock::duration::zero();
}

Clock::duration Job::stood_still() const {
    return std::min(kept_waiting(), Clock::duration(Clock::now() - heard_at_));
}

Clock::duration Job::used() const {
    return std::max(worked(), Clock::now() - started_at_);
}

void Job::ask_to_end_turn() {
    const auto now = Clock::now();
    if (!turn_ends_at_) {
        // As long as the file takes that it is at, and the test after it.
        turn_ends_at_ = now + std::chrono::seconds(surroundings_.config.engine.max_scan_seconds) + grace_for_turns;
        end_turn();
    } else if (now > *turn_ends_at_) {
        finish(End::TurnOver, "others have their turn");
    }
}

// A piece at a time: what takes everything at once may be fed for long, and other jobs and the polls want their turn.
void Job::flush() {
    if (end_ != End::Not || !runner_ || !runner_writable_) return;
    feed_runner();
    if (to_runner_.empty()) return;
    switch (to_runner_.flush(runner_.get(), packets_at_once)) {
        case Sent::Yes:
            surroundings_.loop.go_round_again();
            return;
        case Sent::WouldBlock:
            runner_writable_ = false;
            runner_watch_.change(EPOLLIN | EPOLLOUT);
            return;
        case Sent::PeerGone:
            return;  // its end is read from the socket, after its last words
    }
}

void Job::in_pieces(std::function<bool()> step) {
    const auto until = Clock::now() + longest_piece;
    while (end_ == End::Not && step())
        if (Clock::now() >= until) {
            next_piece_ = surroundings_.loop.after(
                std::chrono::milliseconds(0), [this, step = std::move(step)]() mutable { in_pieces(std::move(step)); });
            return;
        }
}

}  // namespace clamscanner
