// clamscanner-engine: scans the files that it is handed, for jobd alone, as a system user of its own that cannot open
// any user's files.
//
// This process stays small. At the first job it forks the signature host, which loads the signatures
// (signature_host.h), passes every job on to it, and ends it when no job has come for engine.idle_minutes. When the
// signatures change, it starts a second host to load the new ones; once they are loaded, that host takes all new jobs
// while the old one finishes its own. If they fail to load, the old host stays. SECURITY: only jobd's user may connect,
// by the socket's access list and as the kernel attests; hostile bytes are read two processes further down (worker.h).
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/config_keys.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/figures.h"
#include "auth/base/log.h"
#include "auth/base/priority.h"
#include "auth/base/service.h"
#include "auth/base/socket.h"
#include "jobs/engine/child_directory.h"
#include "jobs/engine/host_messages.h"
#include "jobs/engine/known/judge_of_new.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/registry.h"
#include "jobs/engine/library_build.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/signature_host.h"
#include "jobs/engine/worker/sandbox.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto request_timeout = 5s;
constexpr std::size_t most_pending = 64;
// Of one account: jobs that have ended, and of which a process is left because it waits in the kernel for a file.
constexpr std::size_t most_stuck_jobs = 2;
// A job that began less long ago has perhaps only just ended, and its processes are on their way.
constexpr auto time_to_go = 10s;
constexpr auto delay_after_failed_load = 10s;
constexpr auto time_for_orphans = 5s;
constexpr int kept_socket = 3;  // in a child

class Engine {
 public:
    // The settings follow the configuration whenever that is read again.
    Engine(Settings& config, uid_t jobd)
        : config_(config), jobd_(jobd), tmp_(config.paths.run_directory + "/engine/tmp") {
        // Left over if our predecessor was killed.
        std::filesystem::remove_all(tmp_);
        checked(::mkdir(tmp_.c_str(), 0700), "make the directory for temporary files");
        loop_.stop_on_signals();
        loop_.reload_on_hangup([this] { reload(); });
        figures_.emplace(loop_, config.figures_file("engine"), [this](Figures& figures) { measure(figures); });
        listener_ = listen_at(config.engine_socket(), SOCK_SEQPACKET, 0600);
        if (!permit_only(config.engine_socket(), jobd)) let_anybody_knock();
        listener_watch_ =
            loop_.accept_connections(listener_.get(), [this](UniqueFd connection) { accept(std::move(connection)); });
    }

    // Until it is to end, or to start anew.
    enum class Next { End, StartAnew };
    [[nodiscard]] Next run() {
        report_ready();
        loop_.run();
        if (starts_anew_) return Next::StartAnew;
        notify_supervisor("STOPPING=1");
        end_processes();
        return Next::End;
    }

 private:
    struct Host {
        std::unique_ptr<ChildDirectory> directory;  // removed once the process has ended
        ChildProcess process;
        UniqueFd socket;
        EventLoop::Watch watch;
        std::size_t jobs = 0;
        EventLoop::Timer idle_timer;
        SignatureListing listing;  // of the signature directory when it began to load
        bool is_loaded = false;
        bool embedded_only = false;
        std::vector<std::string> left_out;
        bool has_registry = false;
        std::uint64_t signatures = 0;
        std::uint64_t loaded_at = 0;  // seconds since the epoch
    };
    struct PendingConnection {
        UniqueFd connection;
        EventLoop::Watch watch;
        EventLoop::Timer timeout;
    };

    // A job's processes end when their host does, but a moment later. Until then they must find their directories and
    // the registry: what is said of one that is gone would look like a fault.
    void end_processes() {
        if (next_) next_->process = ChildProcess();
        if (host_) host_->process = ChildProcess();
        for (const auto& retired : retired_) retired->process = ChildProcess();
        const auto until = Clock::now() + time_for_orphans;
        for (const auto& [uid, lifelines] : lifelines_)
            for (const auto& line : lifelines) {
                const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
                pollfd waited{line.end.get(), 0, 0};
                ::poll(&waited, 1, std::max(0, static_cast<int>(left.count())));
            }
    }

    // What has signatures loaded keeps the limits with which it did; a new one gets the new ones, and takes over when
    // it has loaded. Until then no job waits.
    void reload() {
        const auto keys = reread_config(config_);
        if (!keys) return;
        take_reloaded(*keys, config_);
        if (!host_ && !next_) return;
        next_.reset();  // it began with the old ones
        start_next("loading the signatures with the new settings");
    }

    void measure(Figures& figures) const {
        figures.set("clamscanner_engine_jobs", running_jobs());
        figures.set("clamscanner_signatures_loaded", host_ ? host_->signatures : 0);
        figures.set("clamscanner_signatures_loaded_time_seconds", host_ ? host_->loaded_at : 0);
        const bool lacks_some = reload_failed_ || (host_ && !host_->left_out.empty());
        figures.set("clamscanner_signatures_broken", lacks_some ? 1 : 0);
    }

    void let_anybody_knock() const {
        log_line(Severity::Warning, "no access lists in " + config_.paths.run_directory +
                                        ": everybody may connect to the engine, though only jobd is let in");
        checked(::chmod(config_.engine_socket().c_str(), 0666), "open the engine's socket");
    }

    void accept(UniqueFd connection) {
        if (peer_of(connection.get()).uid != jobd_ || pending_.size() >= most_pending) return;
        const int fd = connection.get();
        auto watch = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { receive_job(fd); });
        auto timeout = loop_.after(request_timeout, [this, fd] { pending_.erase(fd); });
        pending_.emplace(fd, PendingConnection{std::move(connection), std::move(watch), std::move(timeout)});
    }

    void receive_job(int fd) {
        try {
            Packet packet;
            const Got got = receive_packet(fd, packet);
            if (got == Got::WouldBlock) return;
            const auto asked = pending_.extract(fd);
            if (got == Got::PeerGone) return;
            const auto job = decode<NewJob>(packet.bytes);
            pass_on(job, asked.mapped().connection, packet.only_descriptor());
        } catch (const Malformed& wrong) {
            log_line(Severity::Warning, std::string("malformed job from jobd: ") + wrong.what());
            pending_.erase(fd);
        } catch (const std::system_error& fault) {
            // Out of processes, descriptors or memory: jobd will try again.
            log_line(Severity::Error, std::string("a job could not be begun: ") + fault.what());
            pending_.erase(fd);
        }
    }

    // An update of the system may mend what hostile files do to the library, but this process keeps what it has mapped.
    // So no job begins with the old library: jobd hears that its connection is closed, and tries again. Not while
    // signatures are loaded that could not be loaded again.
    [[nodiscard]] bool must_start_anew() {
        if (installed_library_files() == library_files_ || (host_ && cannot_be_loaded_again())) return false;
        if (!starts_anew_) log_line(Severity::Info, "libclamav was updated: starting anew once no job runs");
        starts_anew_ = true;
        return true;
    }

    void start_anew_when_idle() {
        if (starts_anew_ && running_jobs() == 0) loop_.stop();
    }

    // One of them is still here for each earlier job of the account, unless that is gone with all of its processes.
    struct Lifeline {
        UniqueFd end;
        EventLoop::Watch watch;
        Deadline begun_at = Clock::now();
    };

    // The other end goes to the job's processes, and is closed when the last one is gone.
    [[nodiscard]] UniqueFd new_lifeline(std::uint32_t uid) {
        auto [ours, theirs] = socket_pair(SOCK_STREAM);
        auto& lifelines = lifelines_[uid];
        const auto line = lifelines.emplace(lifelines.end());
        line->watch = loop_.watch(ours.get(), 0, [this, uid, line](std::uint32_t) {
            auto& of_account = lifelines_.at(uid);
            of_account.erase(line);
            if (of_account.empty()) lifelines_.erase(uid);
        });
        line->end = std::move(ours);
        return std::move(theirs);
    }

    [[nodiscard]] bool has_too_many_stuck(std::uint32_t uid) const {
        const auto lifelines = lifelines_.find(uid);
        return lifelines != lifelines_.end() && lifelines->second.size() >= most_stuck_jobs;
    }

    // jobd tries again, soon if it hears nothing.
    void refuse(std::uint32_t uid, const UniqueFd& connection) const {
        if (Clock::now() - lifelines_.at(uid).back().begun_at < time_to_go) return;
        static_cast<void>(send_message(connection.get(), ScannerFailed{"files of the account do not answer", true}));
    }

    void pass_on(NewJob job, const UniqueFd& connection, const UniqueFd& runner) {
        if (has_too_many_stuck(job.uid)) return refuse(job.uid, connection);
        if (must_start_anew()) return start_anew_when_idle();
        if (host_ && lacks_new_database()) retire();
        if (!host_) host_ = next_ ? std::move(next_) : start_host();
        ++host_->jobs;
        count_jobs();
        host_->idle_timer = {};
        const auto lifeline = new_lifeline(job.uid);
        const auto meetings = open_meetings(job);
        const int host = host_->socket.get();
        const auto sent =
            meetings
                ? send_message(host, std::move(job), {connection.get(), runner.get(), lifeline.get(), meetings.get()})
                : send_message(host, std::move(job), {connection.get(), runner.get(), lifeline.get()});
        if (sent != Sent::Yes) log_line(Severity::Error, "a job could not be passed on; jobd will try again");
    }

    // ---- The registry of known contents (known/registry.h). Everything works without it.

    // A coordinator's end; empty if its job has nothing to do with known contents.
    [[nodiscard]] UniqueFd open_meetings(const NewJob& job) try {
        if (job.account.empty() || job.full || !uses_registry()) return {};
        if (!registry_.process) start_registry();
        if (!host_->has_registry) give_registry(*host_);
        auto [registrys, coordinators] = socket_pair(SOCK_SEQPACKET);
        if (send_message(registry_.socket.get(), OpenMeetings{job.account}, {registrys.get()}) != Sent::Yes) return {};
        return std::move(coordinators);
    } catch (const std::system_error& fault) {
        log_line(Severity::Warning, std::string("a job without known contents: ") + fault.what());
        return {};
    }

    // Without Landlock a worker that was taken over could write into its database.
    [[nodiscard]] bool uses_registry() const {
        return config_.engine.known_contents && config_.engine.rescan_days != 0 && landlock_version() > 0;
    }

    void start_registry() {
        auto [ours, theirs] = socket_pair(SOCK_SEQPACKET);
        const pid_t pid = checked(::fork(), "fork the registry of known contents");
        if (pid == 0) {
            keep_only(theirs.get());
            run_registry(config_, UniqueFd(kept_socket));
        }
        registry_.process = ChildProcess(pid);
        registry_.socket = std::move(ours);
        set_blocking(registry_.socket.get(), false);
        registry_.watch = loop_.watch(registry_.socket.get(), EPOLLIN, [this](std::uint32_t) { end_registry(); });
    }

    // It sends nothing, so it has ended. The next job starts another one.
    void end_registry() {
        log_line(Severity::Warning, "the registry of known contents ended");
        drop_registry();
    }

    void drop_registry() {
        registry_.watch = {};
        registry_.socket.reset();
        registry_.process = ChildProcess();
        end_judge_of_new();
        for (auto* host : {host_.get(), next_.get()})
            if (host != nullptr) host->has_registry = false;
    }

    void give_registry(Host& host) {
        if (!registry_.process) return;
        auto [registrys, judges] = socket_pair(SOCK_SEQPACKET);
        host.has_registry = send_message(registry_.socket.get(), OpenJudge{}, {registrys.get()}) == Sent::Yes &&
                            send_message(host.socket.get(), UseRegistry{}, {judges.get()}) == Sent::Yes;
        if (host.is_loaded) start_judge_of_new();
    }

    // One for what host_ has loaded. It ends at once where nothing was judged before.
    void start_judge_of_new() try {
        end_judge_of_new();
        if (!registry_.process) return;
        auto [registrys, judges] = socket_pair(SOCK_SEQPACKET);
        if (send_message(registry_.socket.get(), OpenJudge{}, {registrys.get()}) != Sent::Yes) return;
        judge_of_new_.directory = std::make_unique<ChildDirectory>(tmp_);
        const pid_t pid = checked(::fork(), "fork the judge with the new signatures");
        if (pid == 0) {
            keep_only(judges.get());
            run_judge_of_new(config_, judge_of_new_.directory->path(), UniqueFd(kept_socket));
        }
        judge_of_new_.process = ChildProcess(pid);
        judge_of_new_.watch =
            loop_.watch(judge_of_new_.process.pidfd(), EPOLLIN, [this](std::uint32_t) { end_judge_of_new(); });
    } catch (const std::system_error& fault) {
        log_line(Severity::Warning, fault.what());
    }

    void end_judge_of_new() {
        judge_of_new_.watch = {};
        judge_of_new_.process = ChildProcess();
        judge_of_new_.directory.reset();
    }

    // In a child. A stray copy of the listener would keep its address in use.
    static void keep_only(int socket) {
        if (::dup2(socket, kept_socket) < 0 || ::syscall(SYS_close_range, kept_socket + 1, ~0U, 0) < 0)
            die("close all descriptors but one socket");
    }

    // A scan with the test signatures alone is worth less than a later one: a job waits for the first database. For
    // newer signatures no job waits.
    [[nodiscard]] bool lacks_new_database() const {
        const auto& directory = config_.paths.signature_directory;
        return host_->embedded_only && holds_signatures(directory) && listing_of(directory) != host_->listing;
    }

    [[nodiscard]] std::unique_ptr<Host> start_host() {
        auto listing = listing_of(config_.paths.signature_directory);
        auto [ours, theirs] = socket_pair(SOCK_SEQPACKET);
        auto directory = std::make_unique<ChildDirectory>(tmp_);
        const pid_t pid = checked(::fork(), "fork the process that holds the signatures");
        if (pid == 0) {
            keep_only(theirs.get());
            run_signature_host(config_, jobs_, trial_, directory->path(), UniqueFd(kept_socket));
        }
        auto host = std::make_unique<Host>();
        host->directory = std::move(directory);
        host->process = ChildProcess(pid);
        host->listing = std::move(listing);
        host->socket = std::move(ours);
        set_blocking(host->socket.get(), false);
        host->watch = loop_.watch(host->socket.get(), EPOLLIN,
                                  [this, known = host.get()](std::uint32_t) { receive_from(*known); });
        give_registry(*host);
        return host;
    }

    void receive_from(Host& host) {
        Packet packet;
        const Got got = receive_packet(host.socket.get(), packet);
        if (got == Got::WouldBlock) return;
        if (got == Got::PeerGone) {
            log_end_of(host);
            // A signature file may be the cause.
            if (!host.is_loaded) trial_ = Trial::First;
            if (next_.get() == &host) report_load_failure("the signature host that was loading the new ones ended");
            return remove(host);
        }
        static constexpr Handler<Engine, void, Host&> table[] = {
            handles<&Engine::take_job_ended>,
            handles<&Engine::take_signatures_loaded>,
            handles<&Engine::take_signatures_changed>,
        };
        dispatch(table, *this, packet.bytes, host);
    }

    // One that was retired, and ends as it was asked to, says nothing.
    static void log_end_of(Host& host) {
        constexpr auto time_to_end = 1s;
        pollfd waited{host.process.pidfd(), POLLIN, 0};
        ::poll(&waited, 1, static_cast<int>(std::chrono::milliseconds(time_to_end).count()));
        const auto ending = host.process.ended();
        if (ending && !ending->by_signal && ending->code == 0) return;
        std::string how = "did not end";
        if (ending)
            how = (ending->by_signal ? "was ended by signal " : "ended with status ") + std::to_string(ending->code);
        if (ending && ending->by_signal && ending->code == SIGKILL)
            how +=
                ". If the kernel's log says \"Out of memory\", the host needs more: ClamAV's database takes about 1.3 "
                "GiB, and twice that while a newer one is loaded";
        log_line(Severity::Error, std::string("the process that ") + (host.is_loaded ? "holds" : "was loading") +
                                      " the signatures " + how);
    }

    void take_signatures_changed(const SignaturesChanged&, Host& host) {
        if (host_.get() == &host) load_newer();
    }

    void load_newer() {
        if (next_ || Clock::now() < load_not_before_) return;
        start_next("the signatures changed: loading the new ones");
    }

    void start_next(const char* why) {
        tried_ = listing_of(config_.paths.signature_directory);
        log_line(Severity::Info, why);
        try {
            next_ = start_host();
        } catch (const std::system_error& fault) {
            report_load_failure(fault.what());
        }
    }

    void take_signatures_loaded(const SignaturesLoaded& loaded, Host& host) {
        host.is_loaded = true;
        host.signatures = loaded.signatures;
        host.loaded_at = loaded.failed ? 0 : static_cast<std::uint64_t>(std::time(nullptr));
        count(std::string("clamscanner_engine_loads_total{result=\"") + (loaded.failed ? "failed" : "loaded") + "\"}");
        host.embedded_only = loaded.embedded_only;
        host.left_out = loaded.left_out;
        trial_ = loaded.left_out.empty() ? Trial::IfNeeded : trial_;
        if (next_.get() != &host) {
            // If it failed, it says so to its jobs itself.
            if (!loaded.failed && host_.get() == &host) start_judge_of_new();
            return;
        }
        if (host_ && (loaded.failed || lacks_signatures_of(*host_, loaded))) {
            report_load_failure(loaded.problem);
            remove(host);
            return;
        }
        if (host_) retire();
        host_ = std::move(next_);
        start_judge_of_new();
        reload_failed_ = false;
        end_when_idle();
    }

    // A file that is bad only now must not take away what was loaded from it before.
    [[nodiscard]] static bool lacks_signatures_of(const Host& before, const SignaturesLoaded& now) {
        if (now.embedded_only && !now.problem.empty()) return true;
        return std::any_of(now.left_out.begin(), now.left_out.end(), [&](const std::string& name) {
            const bool lay_there = before.listing.files.find("\n" + name + " ") != std::string::npos;
            return lay_there &&
                   std::find(before.left_out.begin(), before.left_out.end(), name) == before.left_out.end();
        });
    }

    void report_load_failure(const std::string& problem) {
        log_line(Severity::Error, "keeping the old signatures: " + problem);
        load_not_before_ = Clock::now() + delay_after_failed_load;
        reload_failed_ = true;
        // Cut short: other messages include it in a longer text.
        if (host_) static_cast<void>(send_message(host_->socket.get(), SignaturesBroken{problem.substr(0, 500)}));
    }

    void take_job_ended(const JobEnded&, Host& host) {
        if (host.jobs > 0) --host.jobs;
        count_jobs();
        if (host_.get() == &host) end_when_idle();
    }

    void end_when_idle() {
        if (host_->jobs > 0 || config_.engine.idle_minutes == 0) return;
        host_->idle_timer = loop_.after(std::chrono::minutes(config_.engine.idle_minutes), [this] { unload(); });
    }

    [[nodiscard]] bool is_untried(const SignatureListing& listing) const {
        return listing.problem.empty() && listing != host_->listing && !(reload_failed_ && listing == tried_);
    }

    // What host_ has loaded.
    [[nodiscard]] bool cannot_be_loaded_again() const {
        const auto listing = listing_of(config_.paths.signature_directory);
        return !listing.problem.empty() || (reload_failed_ && listing != host_->listing);
    }

    // What changed since the last job is loaded first: only if that succeeds can it be loaded again for the next job.
    void unload() {
        if (is_untried(listing_of(config_.paths.signature_directory))) load_newer();
        if (next_ || cannot_be_loaded_again() || !host_->left_out.empty()) return end_when_idle();
        log_line(Severity::Info, "no recent scans: unloading the signatures");
        retire();
        if (running_jobs() == 0) drop_registry();
    }

    // The host sees the shutdown and ends after its last job; we reap it when it closes its end.
    void retire() {
        host_->idle_timer = {};
        checked(::shutdown(host_->socket.get(), SHUT_WR), "retire a signature host");
        retired_.push_back(std::move(host_));
    }

    [[nodiscard]] std::size_t running_jobs() const {
        auto jobs = host_ ? host_->jobs : 0;
        for (const auto& retired : retired_) jobs += retired->jobs;
        return jobs;
    }

    void count_jobs() {
        jobs_.set(running_jobs());
        start_anew_when_idle();
    }

    void remove(Host& host) {
        if (host_.get() == &host) {
            host_.reset();
        } else if (next_.get() == &host) {
            next_.reset();
        } else {
            std::erase_if(retired_, [&](const auto& retired) { return retired.get() == &host; });
        }
        count_jobs();
    }

    Settings& config_;
    const uid_t jobd_;
    const std::string tmp_;
    JobCount jobs_;
    EventLoop loop_;
    std::optional<Figures> figures_;
    UniqueFd listener_;
    EventLoop::Watch listener_watch_;
    std::map<int, PendingConnection> pending_;
    std::map<std::uint32_t, std::list<Lifeline>> lifelines_;  // by uid
    std::unique_ptr<Host> host_;
    std::unique_ptr<Host> next_;  // loads the signatures that will replace host_'s
    Deadline load_not_before_;
    bool reload_failed_ = false;  // the last time
    SignatureListing tried_;      // what was loaded, or failed to load, the last time
    Trial trial_ = Trial::IfNeeded;
    const std::string library_files_ = installed_library_files();
    bool starts_anew_ = false;
    std::vector<std::unique_ptr<Host>> retired_;
    struct {
        ChildProcess process;
        UniqueFd socket;
        EventLoop::Watch watch;
    } registry_;
    struct {
        std::unique_ptr<ChildDirectory> directory;
        ChildProcess process;
        EventLoop::Watch watch;
    } judge_of_new_;
};

void run_engine(const std::string& config_file) {
    Settings config = read_settings(config_file);
    refuse_root();
    require_to_run_as(config, "engine.user", {config.engine.user});
    give_up_privileges();
    occupy_standard_descriptors();
    raise_descriptor_limit();
    ignore_stray_signals();
    use_idle_priority();
    const auto next = Engine(config, configured_user(config, "jobs.user", config.jobs.user).uid).run();
    if (next == Engine::Next::End) return;
    const std::string program = config.program("clamscanner-engine");
    ::execl(program.c_str(), program.c_str(), "--config", config_file.c_str(), nullptr);
    throw_errno("start the engine anew");
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    static constexpr clamscanner::CommandForm form{
        .program = "clamscanner-engine",
        .purpose = "Holds the virus signatures and scans what it is handed. The user engine.user runs it."};
    return clamscanner::run_daemon(form, argc, argv, clamscanner::run_engine);
}
