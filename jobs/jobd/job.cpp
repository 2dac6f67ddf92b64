#include "jobs/jobd/job.h"

#include <utility>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {

namespace {

constexpr auto grace_for_turns = std::chrono::seconds(30);
// How much is done for one job before others are served.
constexpr std::size_t packets_at_once = 64;
constexpr auto longest_piece = std::chrono::milliseconds(2);

}  // namespace

bool is_overdue(const JobContext& context, std::int64_t begun_running_ms) {
    const auto limit = static_cast<std::int64_t>(context.config.jobs.max_job_hours) * hour_ms;
    return context.ledger.running_time().now() - begun_running_ms > limit;
}

Job::Job(const JobContext& context, AccountTask task)
    : context_(context),
      task_(std::move(task)),
      // For a task that has ended, this job only copies the log.
      begun_running_ms_(task_.task.begun_running_ms == 0 || task_.task.state == TaskState::Ended
                            ? context.ledger.running_time().now()
                            : task_.task.begun_running_ms),
      started_at_(Clock::now()),
      last_progress_at_(started_at_),
      last_packet_at_(started_at_) {}

void Job::finish(End end, std::string why) {
    if (end_ != End::None) return;
    end_ = end;
    why_ = std::move(why);
}

void Job::wait_for_files() {
    files_hang_ = true;
    finish(End::Postponed, files_do_not_answer);
}

void Job::scanner_failed(const ScannerFailed& failed) {
    if (failed.files_hang) return wait_for_files();
    finish(End::Failed, failed.why);
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
    coordinator_ = connect_at_once(context_.config.engine_socket(), SOCK_SEQPACKET);
    auto [for_coordinator, for_runner] = socket_pair(SOCK_SEQPACKET);
    auto job = new_job();
    job.uid = account().uid;
    if (send_message(coordinator_.get(), std::move(job), {for_coordinator.get()}) != Sent::Yes)
        throw_errno("hand a job to the engine", ECONNREFUSED);
    coordinator_for_runner_ = std::move(for_runner);
    coordinator_watch_ = context_.loop.watch(coordinator_.get(), EPOLLIN, [this](std::uint32_t) {
        receive(coordinator_, &Job::receive_from_coordinator, &Job::coordinator_gone);
    });
}

void Job::connect_authd() {
    authd_ = connect_at_once(context_.config.runner_socket(), SOCK_SEQPACKET);
    auto [ours, theirs] = socket_pair(SOCK_SEQPACKET);
    const HomeIdentity home{false, account().file_system, account().inode, account().born_ns};
    const bool again = task().attempts > 0;
    if (send_message(authd_.get(), StartRunner{account().uid, account().name, home, again}, {theirs.get()}) !=
        Sent::Yes)
        throw_errno("ask authd for a runner", ECONNREFUSED);
    runner_ = std::move(ours);
    set_blocking(runner_.get(), false);
    authd_watch_ = context_.loop.watch(authd_.get(), EPOLLIN, [this](std::uint32_t) { receive_from_authd(); });
    watch_runner();
}

void Job::watch_runner() {
    runner_watch_ = context_.loop.watch(runner_.get(), EPOLLIN, [this](std::uint32_t events) {
        if ((events & EPOLLOUT) != 0) {
            runner_writable_ = true;
            runner_watch_.change(EPOLLIN);
        }
        if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0)
            receive(runner_, &Job::receive_from_runner, &Job::runner_gone);
    });
}

// Handles the packets that have arrived, up to a limit, so that other jobs are served, too.
void Job::receive(const UniqueFd& socket, void (Job::*take)(Packet&), void (Job::*gone)()) {
    constexpr int at_once = 64;
    const auto until = Clock::now() + longest_piece;
    Packet packet;
    try {
        for (int i = 0; i < at_once && socket && end_ == End::None && last_packet_at_ < until; ++i) {
            const Got got = receive_packet(socket.get(), packet);
            if (got == Got::WouldBlock) return;
            if (got == Got::PeerGone) {
                (this->*gone)();
                return;
            }
            last_packet_at_ = Clock::now();
            if (&socket == &coordinator_) coordinator_replied_ = true;
            if (is<StillWaiting>(packet.bytes)) continue;
            if (&socket == &runner_ && is<RunnerFailed>(packet.bytes))
                return finish(End::Failed, decode<RunnerFailed>(packet.bytes).why);
            last_progress_at_ = last_packet_at_;
            (this->*take)(packet);
        }
    } catch (const Malformed& wrong) {
        log_line(Severity::Warning, "a job of " + printable(account().name) + " failed: " + wrong.what());
        finish(End::Failed, "the scanner's processes sent each other invalid messages");
    }
}

// Whether there was an answer.
bool Job::receive_from_authd() {
    Packet packet;
    try {
        const Got got = receive_packet(authd_.get(), packet);
        if (got == Got::WouldBlock) return false;
        if (got == Got::PeerGone) {
            // authd may be restarted while a runner works; the runner's own socket shows when it ends.
            authd_watch_ = {};
            authd_.reset();
            return false;
        }
        switch (decode<RunnerAnswer>(packet.bytes).verdict) {
            case RunnerVerdict::Started:
                runner_started_ = true;
                break;
            case RunnerVerdict::Suspended:
                suspended_ = true;
                finish(End::Postponed, "the account is suspended");
                break;
            case RunnerVerdict::Held:
                suspended_ = true;
                finish(End::Postponed, "the administrator holds the account");
                break;
            case RunnerVerdict::FilesHang:
                wait_for_files();
                break;
            case RunnerVerdict::NoAccount:
                finish(End::Failed, "there is no such account any more");
                break;
            case RunnerVerdict::Unavailable:
                finish(End::Postponed, "the scanner cannot start now");
                break;
        }
    } catch (const Malformed& wrong) {
        finish(End::Postponed, std::string("authd: ") + wrong.what());
    }
    return true;
}

void Job::coordinator_gone() {
    // If the coordinator sent nothing, the job was never begun: the engine lacked processes, descriptors or disk space,
    // or ended. That is never the job's fault.
    if (coordinator_for_runner_ || !coordinator_replied_)
        finish(End::Postponed, "the virus scanner cannot begin now or was restarted; it will be tried again");
    else
        finish(End::Failed, "the virus scanner ended in the middle of the job");
}

void Job::runner_ended() {
    // authd's answer may still be unread, and explains more than the closed socket does.
    while (authd_ && end_ == End::None && receive_from_authd()) {
    }
    if (!runner_started_) finish(End::Postponed, "the scanner is starting or gone; it will be tried again");
    finish(End::Failed, "the process that works in the home was ended from outside");
}

void Job::close_coordinator() {
    coordinator_watch_ = {};
    coordinator_.reset();
}

Clock::duration Job::runner_owes_answer_for() const {
    return waits_for_runner() || !to_runner_.empty() ? Clock::now() - last_progress_at_ : Clock::duration::zero();
}

Clock::duration Job::runner_silent_for() const {
    return std::min(runner_owes_answer_for(), Clock::duration(Clock::now() - last_packet_at_));
}

Clock::duration Job::used() const {
    return std::max(worked(), Clock::now() - started_at_);
}

void Job::ask_to_end_turn() {
    const auto now = Clock::now();
    if (!turn_ends_at_) {
        // Enough for the file that it is scanning and for the self-test after it.
        turn_ends_at_ = now + std::chrono::seconds(context_.config.engine.max_scan_seconds) + grace_for_turns;
        end_turn();
    } else if (now > *turn_ends_at_) {
        finish(End::TurnOver, "others have their turn");
    }
}

// One piece at a time: a runner that takes everything could be fed for long, and other jobs and polls must be served.
void Job::flush() {
    if (end_ != End::None || !runner_ || !runner_writable_) return;
    feed_runner();
    if (to_runner_.empty()) return;
    switch (to_runner_.flush(runner_.get(), packets_at_once)) {
        case Sent::Yes:
            context_.loop.request_another_round();
            return;
        case Sent::WouldBlock:
            runner_writable_ = false;
            runner_watch_.change(EPOLLIN | EPOLLOUT);
            return;
        case Sent::PeerGone:
            return;  // we see that when we read the socket, after its last packets
    }
}

void Job::in_pieces(std::function<bool()> step) {
    const auto until = Clock::now() + longest_piece;
    while (end_ == End::None && step())
        if (Clock::now() >= until) {
            next_piece_ = context_.loop.after(std::chrono::milliseconds(0),
                                              [this, step = std::move(step)]() mutable { in_pieces(std::move(step)); });
            return;
        }
}

}  // namespace clamscanner
