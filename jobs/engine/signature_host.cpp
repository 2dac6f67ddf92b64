#include "jobs/engine/signature_host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"
#include "jobs/engine/child_directory.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/coordinator.h"
#include "jobs/engine/host_messages.h"
#include "jobs/engine/huge_pages.h"
#include "jobs/engine/known/judge.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/scan_cache.h"
#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/engine/worker/sandbox.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

// A coordinator's, once jobd has ended the job: for its workers to be killed, and what it hashes to be read.
constexpr auto time_to_end = std::chrono::seconds(10);
constexpr auto delay_after_judge = std::chrono::seconds(10);
// Between two tries to move the rest into huge pages.
constexpr auto first_pause = std::chrono::seconds(1);
constexpr auto longest_pause = std::chrono::seconds(256);

class SignatureHost {
 public:
    SignatureHost(const Settings& config, JobCount& jobs, Trial trial, const std::string& directory, UniqueFd engine)
        : config_(config), jobs_(jobs), trial_(trial), directory_(directory), socket_(std::move(engine)) {}
    ~SignatureHost() {
        for (auto& [pidfd, running] : coordinators_) {
            running.watch = {};
            running.process.leave();
        }
    }
    SignatureHost(const SignatureHost&) = delete;
    SignatureHost& operator=(const SignatureHost&) = delete;

    void run() {
        try {
            signatures_.emplace(config_, directory_, trial_);
            if (landlock_version() == 0)
                log_line(
                    Severity::Warning,
                    "this kernel has no Landlock (Linux 5.13 or later has it, unless lsm= of its command line leaves "
                    "it out): workers are confined by seccomp and limits alone, and no clean file is remembered");
            if (!own_tmpfs_works(directory_))
                log_line(Severity::Warning,
                         "no user namespaces here: the total size of a worker's temporary files is not limited");
            log_what_is_loaded();
            remove_expired_caches(config_);
        } catch (const SignatureError& error) {
            log_line(Severity::Error, error.what());
            load_error_ = error.what();
        }
        if (send_message(socket_.get(), loaded()) != Sent::Yes) return;
        watch_ = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { take_message(); });
        if (signatures_) move_into_huge_pages();
        loop_.run();
    }

 private:
    [[nodiscard]] SignaturesLoaded loaded() const {
        if (!signatures_) return {load_error_.substr(0, longest_message), true, false, {}, 0};
        SignaturesLoaded loaded{signatures_->problem().substr(0, longest_message),
                                false,
                                signatures_->embedded_only(),
                                {},
                                signatures_->signatures()};
        for (const auto& file : signatures_->left_out())
            if (loaded.left_out.size() < most_left_out) loaded.left_out.push_back(file.name);
        return loaded;
    }

    void log_what_is_loaded() const {
        const auto& directory = config_.paths.signature_directory;
        log_line(Severity::Info, std::to_string(signatures_->signatures()) + " signatures loaded");
        if (signatures_->embedded_only())
            log_line(Severity::Warning, "only the built-in test signatures are known, so real viruses are not found: " +
                                            directory + " holds no database that loads. freshclam puts one there");
        if (signatures_->left_out().empty() && !signatures_->problem().empty())
            log_line(Severity::Error, signatures_->problem());
        for (const auto& [name, why] : signatures_->left_out())
            log_line(Severity::Error, "the signature file " + name + " could not be loaded and is left out: " + why +
                                          ". Remove it from " + directory +
                                          ", and let freshclam or whoever made it put a whole one there");
        if (const auto old = age_warning(directory, std::time(nullptr)); !old.empty()) log_line(Severity::Warning, old);
    }

    // Between the messages: a job that waits has its turn after some milliseconds.
    void move_into_huge_pages() {
        if (!huge_pages_) huge_pages_.emplace();
        if (huge_pages_->move_some()) {
            next_pages_ = loop_.after(std::chrono::milliseconds(1), [this] { move_into_huge_pages(); });
        } else {
            pages_are_moved_ = true;
            // The judge that is there shares the pages that were.
            if (huge_pages_->moved_bytes() > moved_bytes_) end_judge();
            moved_bytes_ = huge_pages_->moved_bytes();
            start_judge();
            move_the_rest_later();
        }
    }

    void move_the_rest_later() {
        if (!huge_pages_->try_again()) return;
        next_pages_ = loop_.after(pause_, [this] { move_into_huge_pages(); });
        pause_ = std::min(2 * pause_, longest_pause);
    }

    // ---- The judge of known contents. It shares our huge pages, so it is forked once they are.

    void take_registry(const UseRegistry&, Packet& packet) {
        if (packet.descriptors.size() != 1) return;  // when we are out of descriptors the kernel drops it
        end_judge();
        registry_ = packet.only_descriptor();
        start_judge();
    }

    void start_judge() try {
        if (!registry_ || !pages_are_moved_ || judge_.process || retiring_ || signatures_->fingerprint().empty() ||
            forks_slowly_with_ == moved_bytes_)
            return;
        judge_.directory = std::make_unique<ChildDirectory>(directory_);
        const pid_t pid = checked(::fork(), "fork the judge of known contents");
        if (pid == 0) {
            jobs_.unmap();
            run_judge(config_, *signatures_, {signatures_->fingerprint(), {}}, judge_.directory->path(),
                      std::move(registry_));
        }
        judge_.process = ChildProcess(pid);
        judge_.watch = loop_.watch(judge_.process.pidfd(), EPOLLIN, [this](std::uint32_t) { take_judges_end(); });
    } catch (const std::system_error& fault) {
        log_line(Severity::Warning, fault.what());
        judge_later();
    }

    void take_judges_end() {
        judge_.watch = {};
        const auto ending = judge_.process.ended();
        judge_.directory.reset();
        if (!ending || ending->by_signal) return judge_later();
        switch (ending->code) {
            case 0:  // the registry is gone
            case judge_is_useless:
                return registry_.reset();
            case judge_forks_slowly:
                if (!next_pages_.is_set()) return registry_.reset();
                forks_slowly_with_ = moved_bytes_;
                return;
            default:
                return judge_later();
        }
    }

    void judge_later() {
        log_line(Severity::Warning, "the judge of known contents ended: another one begins soon");
        next_judge_ = loop_.after(delay_after_judge, [this] { start_judge(); });
    }

    void end_judge() {
        next_judge_ = {};
        judge_.watch = {};
        judge_.process = ChildProcess();
        judge_.directory.reset();
    }

    struct Running {
        std::unique_ptr<ChildDirectory> directory;  // removed once the process has ended
        ChildProcess process;
        EventLoop::Watch watch;
        UniqueFd jobd;  // a copy of the coordinator's connection
        EventLoop::Watch hangup;
        EventLoop::Timer grace;
        bool is_over = false;  // the engine was told so
    };

    void take_message() try {
        Packet packet;
        switch (receive_packet(socket_.get(), packet)) {
            case Got::WouldBlock:
                return;
            case Got::PeerGone:
                watch_ = {};
                retiring_ = true;
                stop_if_finished();
                return;
            case Got::Packet:
                break;
        }
        static constexpr Handler<SignatureHost, void, Packet&> table[] = {
            handles<&SignatureHost::take_signatures_broken>,
            handles<&SignatureHost::take_registry>,
            handles<&SignatureHost::begin_job>,
        };
        dispatch(table, *this, packet.bytes, packet);
    } catch (const std::system_error& fault) {
        fail_job(fault.what());
    } catch (const Malformed& cut) {
        // The engine's messages are well-formed, but when we are out of descriptors the kernel drops theirs.
        fail_job(cut.what());
    }

    void take_signatures_broken(SignaturesBroken broken) { reload_error_ = std::move(broken.problem); }

    void begin_job(const NewJob& job, Packet& packet) {
        const auto descriptors = packet.descriptors.size();
        if (descriptors != 3 && descriptors != 4) throw Malformed("a job without its three or four descriptors");
        UniqueFd jobd = std::move(packet.descriptors[0]);
        UniqueFd runner = std::move(packet.descriptors[1]);
        const UniqueFd lifeline = std::move(packet.descriptors[2]);
        UniqueFd meetings = descriptors == 4 ? std::move(packet.descriptors[3]) : UniqueFd();
        if (!load_error_.empty()) {
            static_cast<void>(
                send_message(jobd.get(), ScannerFailed{"the signature database could not be loaded", false}));
            send_job_ended();
            // The engine starts a new host for the next job, and that tries to load them again.
            loop_.stop();
            return;
        }
        if (!check_for_new_signatures()) return loop_.stop();
        auto directory = std::make_unique<ChildDirectory>(directory_);
        const pid_t pid = checked(::fork(), "fork a coordinator");
        if (pid == 0)
            coordinate(job, directory->path(), std::move(jobd), std::move(runner), lifeline.get(), std::move(meetings));
        Running running;
        running.directory = std::move(directory);
        running.process = ChildProcess(pid);
        running.jobd = std::move(jobd);
        const int pidfd = running.process.pidfd();
        running.watch = loop_.watch(pidfd, EPOLLIN, [this, pidfd](std::uint32_t) { end_job(pidfd); });
        running.hangup = loop_.watch(running.jobd.get(), 0, [this, pidfd](std::uint32_t) { expect_end(pidfd); });
        coordinators_.emplace(pidfd, std::move(running));
    }

    // jobd has closed the connection, so the job is over, even if its coordinator never sees that: it may wait in the
    // kernel for a file. Nobody else must wait for it.
    void expect_end(int pidfd) {
        auto& running = coordinators_.at(pidfd);
        running.hangup = {};
        running.jobd.reset();
        running.grace = loop_.after(time_to_end, [this, pidfd] { give_up(pidfd); });
    }

    void give_up(int pidfd) {
        auto& running = coordinators_.at(pidfd);
        log_line(Severity::Warning, "a job ended, but not its processes: a file does not answer");
        ::kill(-running.process.pid(), SIGKILL);  // its workers, too
        running.is_over = true;
        send_job_ended();
        stop_if_finished();
    }

    // The job does not wait for the new signatures: it uses the ones loaded here. False when the engine is gone.
    bool check_for_new_signatures() {
        if (!signatures_->outdated()) {
            reload_error_.clear();
            return true;
        }
        const auto unreadable = listing_of(config_.paths.signature_directory).problem;
        if (unreadable.empty()) return send_message(socket_.get(), SignaturesChanged{}) == Sent::Yes;
        if (reload_error_ != unreadable) log_line(Severity::Error, "keeping the loaded signatures: " + unreadable);
        reload_error_ = unreadable;
        return true;
    }

    // Other jobs and the signatures are unaffected; jobd will try this job again.
    void fail_job(const char* why) {
        log_line(Severity::Error, std::string("a job could not be begun: ") + why);
        send_job_ended();
    }

    [[noreturn]] void coordinate(const NewJob& job, const std::string& directory, UniqueFd jobd, UniqueFd runner,
                                 int lifeline, UniqueFd meetings) noexcept {
        // This process must never run the destructors of the host's descriptors and children, so it always ends by
        // _exit().
        try {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::setpgid(0, 0);  // with its workers
            ::close(socket_.get());
            if (registry_) ::close(registry_.get());  // the judge's
            // Of the other jobs: jobd must see when their coordinators are gone. (Their watches are the host's.)
            for (const auto& [pidfd, running] : coordinators_)
                if (running.jobd) ::close(running.jobd.get());
            const int jobd_copy = ::fcntl(jobd.get(), F_DUPFD_CLOEXEC, 3);
            try {
                Coordinator(config_, *signatures_, jobs_, job, directory, reload_error_, std::move(jobd),
                            std::move(runner), lifeline, std::move(meetings))
                    .run();
            } catch (const JobIsOver&) {
                // As every disinfection ends.
            } catch (const FilesHang& fault) {
                log_line(Severity::Warning, fault.what());
                static_cast<void>(send_message(jobd_copy, ScannerFailed{fault.what(), true}));
            } catch (const SignatureError& error) {
                log_line(Severity::Error, error.what());
                static_cast<void>(send_message(jobd_copy, ScannerFailed{error.what(), false}));
            }
            ::_exit(0);
        } catch (const std::exception& fault) {
            log_line(Severity::Info, std::string("a job ended early: ") + fault.what());
            ::_exit(1);
        }
    }

    void end_job(int pidfd) {
        const auto ended = coordinators_.extract(pidfd);
        if (!ended.mapped().is_over) send_job_ended();
        stop_if_finished();
    }

    void send_job_ended() {
        if (!retiring_) static_cast<void>(send_message(socket_.get(), JobEnded{}));
    }

    void stop_if_finished() {
        const bool all_are_over =
            std::ranges::all_of(coordinators_, [](const auto& one) { return one.second.is_over; });
        if (retiring_ && all_are_over) loop_.stop();
    }

    const Settings& config_;
    JobCount& jobs_;
    const Trial trial_;
    const std::string& directory_;
    UniqueFd socket_;
    EventLoop loop_;
    EventLoop::Watch watch_;  // of socket_
    std::optional<ClamEngine> signatures_;
    std::optional<HugePages> huge_pages_;
    EventLoop::Timer next_pages_;
    std::string load_error_;    // why loading failed: there are no signatures here
    std::string reload_error_;  // why those in the signature directory are not the ones loaded
    std::map<int, Running> coordinators_;
    bool retiring_ = false;
    UniqueFd registry_;  // of known contents: the judge's connection, kept for another one
    struct {
        std::unique_ptr<ChildDirectory> directory;
        ChildProcess process;
        EventLoop::Watch watch;
    } judge_;
    EventLoop::Timer next_judge_;
    bool pages_are_moved_ = false;
    std::chrono::seconds pause_ = first_pause;
    std::size_t moved_bytes_ = 0;                   // into huge pages, by all tries that have ended
    std::optional<std::size_t> forks_slowly_with_;  // so many bytes there
};

}  // namespace

void run_signature_host(const Settings& config, JobCount& jobs, Trial trial, const std::string& directory,
                        UniqueFd engine) noexcept {
    try {
        reset_signals();
        ignore_stray_signals();
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the engine");
        jobs.make_read_only();
        SignatureHost(config, jobs, trial, directory, std::move(engine)).run();
        ::_exit(0);
    } catch (const std::exception& fault) {
        die(std::string("signature host: ") + fault.what());
    }
}

}  // namespace clamscanner
