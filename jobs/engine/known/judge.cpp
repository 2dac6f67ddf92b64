#include "jobs/engine/known/judge.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/test_virus.h"
#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/engine/worker/sandbox.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr int registry_number = 3;
constexpr int test_number = 4;
constexpr int content_number = 3;  // in a child, which has no connection to the registry
constexpr const char* room = "/room";
constexpr std::uint64_t room_bytes = 16 * 1024 * 1024;  // of the judge's own, for the test alone
constexpr auto grace_beyond_scan_time = 15s;
// With more, an account would wait longer for judgements than for scans of its own.
#ifdef CLAMSCANNER_SANITIZED
constexpr auto longest_fork = 100ms;  // of processor time, with all that a sanitizer keeps in memory
#else
constexpr auto longest_fork = 10ms;  // of processor time
#endif
constexpr int most_tries = 5;

// What a child's exit status says. Any other one, and any signal, is NotClean.
constexpr int is_clean = 100;
constexpr int cannot_begin = 101;  // it has not read the content

struct Useless : std::runtime_error {
    explicit Useless(const std::string& why, int status = judge_is_useless)
        : std::runtime_error(why), exit_status(status) {}
    int exit_status;
};

// Of this process and those of its children that were waited for. Others that keep the machine busy don't count.
std::chrono::microseconds processor_time() {
    std::chrono::microseconds used{0};
    for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        checked(::getrusage(whose, &usage), "measure processor time");
        for (const auto& time : {usage.ru_utime, usage.ru_stime})
            used += std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    }
    return used;
}

// What is free of what was allocated. A child that uses it again would copy each page of it first, and has a limit
// beyond what is mapped.
void give_back_memory() noexcept {
    ::malloc_trim(0);
}

class Judge {
 public:
    Judge(const Settings& config, ClamEngine& engine, JudgeReady ready)
        : config_(config),
          engine_(engine),
          ready_(std::move(ready)),
          for_children_(PreparedSandbox::Calls::Scan),
          zipped_test_(sealed_file(stored_zip("test.com", engine.test_virus().content))) {}

    // Irreversible.
    void lock_in(const std::string& directory) const try {
        const PreparedSandbox sandbox(PreparedSandbox::Calls::StartScans);
        if (landlock_version() == 0) throw Useless("this kernel has no Landlock");
        if (!enter_own_namespaces()) throw Useless("user namespaces are not allowed here");
        keep_mounting_alone();
        enter_empty_root(directory);
        if (!mount_tmpfs(room, room_bytes)) throw Useless("no file system in memory can be mounted here");
        sandbox.restrict_calls();
    } catch (const std::system_error& fault) {
        throw Useless(fault.what());
    }

    void test() {
        engine_.use_temporary_directory(room);
        if (!finds(test_number) || !finds(zipped_test_.get())) throw Useless("its test virus was not found");
        zipped_test_.reset();
        give_back_memory();
        measure_fork();
    }

    // Until the registry is gone.
    void run() {
        if (send_message(registry_number, JudgeReady(ready_)) != Sent::Yes) return;
        while (wait()) {
        }
    }

 private:
    struct Judging {
        std::uint64_t token;
        ChildProcess process;
        Deadline deadline;
    };

    // The file system of the host is gone for this process and its children.
    static void enter_empty_root(const std::string& directory) {
        checked(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "separate the mounts");
        constexpr std::uint64_t bytes = 64 * 1024;
        if (!mount_tmpfs(directory, bytes)) throw Useless("no file system in memory can be mounted here");
        checked(::chdir(directory.c_str()), "enter an empty root");
        checked(::mkdir(room + 1, 0700), "make a room");
        checked(::syscall(SYS_pivot_root, ".", "."), "change the root");
        checked(::umount2(".", MNT_DETACH), "leave the old root");
        checked(::chdir("/"), "enter an empty root");
        checked(::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                        nullptr),
                "make the root read-only");
    }

    [[nodiscard]] bool finds(int test) const {
        const auto answer = engine_.scan(test);
        return answer.verdict == Verdict::Infected && !engine_.is_tainted();
    }

    // The cheapest of some.
    static void measure_fork() {
        auto least = std::chrono::microseconds::max();
        for (int i = 0; i < most_tries; ++i) {
            const auto before = processor_time();
            const pid_t pid = checked(::fork(), "fork");
            if (pid == 0) ::_exit(0);
            ChildProcess(pid).wait();
            least = std::min(least, processor_time() - before);
        }
        if (least <= longest_fork) return;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(least);
        throw Useless("a fork takes " + std::to_string(took.count()) +
                          " ms, since the memory of the signatures is not in huge pages",
                      judge_forks_slowly);
    }

    // False when the registry is gone.
    [[nodiscard]] bool wait() {
        std::vector<pollfd> watched{{registry_number, POLLIN, 0}};
        auto until = Deadline::max();
        for (const auto& one : judging_) {
            watched.push_back({one.process.pidfd(), POLLIN, 0});
            until = std::min(until, one.deadline);
        }
        constexpr auto longest = std::chrono::milliseconds(60'000);
        const auto left = until == Deadline::max()
                              ? longest
                              : std::chrono::duration_cast<std::chrono::milliseconds>(
                                    std::clamp<Clock::duration>(until - Clock::now(), 0ms, longest));
        if (uninterrupted([&] { return ::poll(watched.data(), watched.size(), static_cast<int>(left.count())); }) < 0)
            throw_errno("wait for contents to judge");
        end_overdue();
        take_ends();
        return watched[0].revents == 0 || take_content();
    }

    void end_overdue() {
        const auto now = Clock::now();
        for (auto& one : judging_)
            if (now >= one.deadline) one.process.kill();
    }

    void take_ends() {
        for (auto& one : judging_) {
            const auto ending = one.process.ended();
            if (ending) answer(one.token, judged_as(*ending));
        }
        std::erase_if(judging_, [](const Judging& one) { return !one.process; });
    }

    static JudgedAs judged_as(const Ending& ending) {
        if (ending.by_signal) return JudgedAs::NotClean;
        if (ending.code == cannot_begin) return JudgedAs::Unjudged;
        return ending.code == is_clean ? JudgedAs::Clean : JudgedAs::NotClean;
    }

    static void answer(std::uint64_t token, JudgedAs judged_as) {
        if (send_message(registry_number, Judgement{token, judged_as}) != Sent::Yes) ::_exit(0);
    }

    [[nodiscard]] bool take_content() {
        Packet packet;
        if (receive_packet(registry_number, packet) != Got::Packet) return false;
        const auto token = decode<JudgeContent>(packet.bytes).token;
        const UniqueFd content = packet.only_descriptor();
        const pid_t pid = ::fork();
        if (pid == 0) judge(content.get());
        if (pid < 0) {
            answer(token, JudgedAs::Unjudged);
            return true;
        }
        judging_.push_back(
            {token, ChildProcess(pid),
             Clock::now() + std::chrono::seconds(config_.engine.max_scan_seconds) + grace_beyond_scan_time});
        return true;
    }

    // ---- In the child of one content. It has the descriptors of the judge, which has read no content.

    [[noreturn]] void judge(int content) const noexcept {
        try {
            begin(content);
            if (!finds(test_number)) ::_exit(cannot_begin);
        } catch (const std::exception& fault) {
            log_line(Severity::Warning, std::string("a content cannot be judged: ") + fault.what());
            ::_exit(cannot_begin);
        }
        try {
            const auto answer = engine_.scan(content_number);
            const bool clean = answer.verdict == Verdict::Clean && !engine_.is_tainted() && finds(test_number);
            ::_exit(clean ? is_clean : 0);
        } catch (const std::exception&) {
            ::_exit(0);
        }
    }

    void begin(int content) const {
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the judge");
        // Neither the registry nor what the judge knows of the content's siblings.
        checked(::dup2(content, content_number), "keep the content");
        checked(::syscall(SYS_close_range, test_number + 1, ~0U, 0), "close all descriptors but the content's");
        const auto& limits = config_.engine;
        checked(::unshare(CLONE_NEWNS), "separate a child's mounts");
        checked(mount_tmpfs(room, limits.max_temporary_bytes) ? 0 : -1, "mount a file system of a child's own");
        give_up_mounting();
        for_children_.enter(room, {limits.max_worker_memory_bytes, limits.max_scan_bytes + 64 * 1024 * 1024, 0});
    }

    const Settings& config_;
    ClamEngine& engine_;
    const JudgeReady ready_;
    PreparedSandbox for_children_;
    UniqueFd zipped_test_;
    std::vector<Judging> judging_;
};

// Keeps only the connection to the registry and the test file.
void keep_descriptors(const UniqueFd& registry, const std::string& test) {
    UniqueFd file = sealed_file(test);
    // Through other numbers, because each may have the one that the other needs.
    const int kept_registry = checked(::fcntl(registry.get(), F_DUPFD_CLOEXEC, 16), "keep a socket");
    const int kept_test = checked(::fcntl(file.release(), F_DUPFD_CLOEXEC, 16), "keep a test file");
    checked(::dup2(kept_registry, registry_number), "renumber a socket");
    checked(::dup2(kept_test, test_number), "renumber a test file");
}

}  // namespace

void run_judge(const Settings& config, ClamEngine& engine, JudgeReady ready, const std::string& directory,
               UniqueFd registry) noexcept {
    try {
        reset_signals();
        ignore_stray_signals();
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the engine's process that forked it");
        if (ready.bases.empty()) checked(::prctl(PR_SET_NAME, "scan-judge"), "take a name");
        keep_descriptors(registry, engine.test_virus().content);
        static_cast<void>(registry.release());
        checked(::syscall(SYS_close_range, test_number + 1, ~0U, 0), "close all descriptors but a judge's");
        ::tzset();  // reads a file
        set_blocking(registry_number, true);
        give_back_memory();
        Judge judge(config, engine, std::move(ready));
        judge.lock_in(directory);
        judge.test();
        judge.run();
        ::_exit(0);
    } catch (const Useless& why) {
        log_line(Severity::Warning, std::string("no contents are known to be clean for all accounts: ") + why.what());
        ::_exit(why.exit_status);
    } catch (const std::exception& fault) {
        die(std::string("judge of contents: ") + fault.what());
    }
}

}  // namespace clamscanner
