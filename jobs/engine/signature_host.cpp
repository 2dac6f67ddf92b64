#include "jobs/engine/signature_host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <map>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/clean_memory.h"
#include "jobs/engine/coordinator.h"
#include "jobs/engine/host_messages.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/worker/locked_room.h"
#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/shared/settings.h"

namespace clamscanner {
namespace {

class SignatureHost {
 public:
    SignatureHost(const Settings& config, JobCount& jobs, UniqueFd engine)
        : config_(config), jobs_(jobs), socket_(std::move(engine)) {}

    void run() {
        try {
            signatures_.emplace(config_);
            if (landlock_version() == 0)
                log_line(Severity::Warning,
                         "this kernel has no Landlock: workers are confined by seccomp and limits alone");
            if (!own_tmpfs_works(config_.paths.run_directory + "/engine/tmp"))
                log_line(Severity::Warning,
                         "no user namespaces here: a worker's temporary files have no limit of their own");
            log_line(Severity::Info, std::to_string(signatures_->signatures()) + " signatures loaded" +
                                         (signatures_->embedded_only() ? " (only the embedded test signatures)" : ""));
            remove_expired_memories(config_);
        } catch (const SignatureError& error) {
            log_line(Severity::Error, error.what());
            broken_ = error.what();
        }
        if (send_message(socket_.get(), SignaturesLoaded{broken_.substr(0, longest_message)}) != Sent::Yes) return;
        watch_ = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { take_message(); });
        loop_.run();
    }

 private:
    struct Running {
        ChildProcess process;
        EventLoop::Watch watch;
    };

    void take_message() try {
        Packet packet;
        switch (receive_packet(socket_.get(), packet)) {
            case Got::WouldBlock:
                return;
            case Got::PeerGone:
                watch_ = {};
                retiring_ = true;
                stop_if_over();
                return;
            case Got::Packet:
                break;
        }
        static constexpr Handler<SignatureHost, void, Packet&> table[] = {
            handles<&SignatureHost::take_signatures_broken>,
            handles<&SignatureHost::begin_job>,
        };
        dispatch(table, *this, packet.bytes, packet);
    } catch (const std::system_error& fault) {
        lose_job(fault.what());
    } catch (const Malformed& cut) {
        // The engine's own messages are well-formed, but without descriptors to be had they lose theirs.
        lose_job(cut.what());
    }

    void take_signatures_broken(SignaturesBroken broken) { problem_ = std::move(broken.problem); }

    void begin_job(const NewJob& job, Packet& packet) {
        if (packet.descriptors.size() != 2) throw Malformed("a job comes without its descriptors");
        UniqueFd jobd = std::move(packet.descriptors[0]);
        UniqueFd runner = std::move(packet.descriptors[1]);
        if (!broken_.empty()) {
            static_cast<void>(send_message(jobd.get(), ScannerFailed{"the signature database could not be loaded"}));
            tell_ended();
            // The next job finds a fresh host, which tries to load anew.
            loop_.stop();
            return;
        }
        // The job need not wait for them: it is done with what is here.
        if (!signatures_->outdated())
            problem_.clear();
        else if (send_message(socket_.get(), SignaturesChanged{}) != Sent::Yes)
            return loop_.stop();
        const pid_t pid = checked(::fork(), "fork a coordinator");
        if (pid == 0) coordinate(job, std::move(jobd), std::move(runner));
        ChildProcess coordinator(pid);
        const int pidfd = coordinator.pidfd();
        auto watch = loop_.watch(pidfd, EPOLLIN, [this, pidfd](std::uint32_t) { end_job(pidfd); });
        coordinators_.emplace(pidfd, Running{std::move(coordinator), std::move(watch)});
    }

    // The other jobs, and the signatures, stay; jobd will try this one again.
    void lose_job(const char* why) {
        log_line(Severity::Error, std::string("a job could not be begun: ") + why);
        tell_ended();
    }

    [[noreturn]] void coordinate(const NewJob& job, UniqueFd jobd, UniqueFd runner) noexcept {
        // Our copies of the host's descriptors and children must not act: this process never unwinds through them.
        try {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::close(socket_.get());
            const int told = ::fcntl(jobd.get(), F_DUPFD_CLOEXEC, 3);
            try {
                Coordinator(config_, *signatures_, jobs_, job, problem_, std::move(jobd), std::move(runner)).run();
            } catch (const SignatureError& error) {
                log_line(Severity::Error, error.what());
                static_cast<void>(send_message(told, ScannerFailed{error.what()}));
            }
            ::_exit(0);
        } catch (const std::exception& fault) {
            log_line(Severity::Info, std::string("a job ended early: ") + fault.what());
            ::_exit(1);
        }
    }

    void end_job(int pidfd) {
        coordinators_.erase(pidfd);
        tell_ended();
        stop_if_over();
    }

    void tell_ended() {
        if (!retiring_) static_cast<void>(send_message(socket_.get(), JobEnded{}));
    }

    void stop_if_over() {
        if (retiring_ && coordinators_.empty()) loop_.stop();
    }

    const Settings& config_;
    JobCount& jobs_;
    UniqueFd socket_;
    EventLoop loop_;
    EventLoop::Watch watch_;  // of socket_
    std::optional<ClamEngine> signatures_;
    std::string broken_;   // there are no signatures here
    std::string problem_;  // there are newer ones, but they do not load
    std::map<int, Running> coordinators_;
    bool retiring_ = false;
};

}  // namespace

void hold_signatures(const Settings& config, JobCount& jobs, UniqueFd engine) noexcept {
    try {
        reset_signals();
        ignore_stray_signals();
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the engine");
        jobs.only_read();
        SignatureHost(config, jobs, std::move(engine)).run();
        ::_exit(0);
    } catch (const std::exception& fault) {
        die(std::string("signature host: ") + fault.what());
    }
}

}  // namespace clamscanner
