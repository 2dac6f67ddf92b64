#include "auth/base/home_lookup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <type_traits>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/nanoseconds.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 2s;
constexpr auto quick = 100ms;
constexpr int pause_factor = 10;
// One of each account at most, so this is a limit on accounts.
constexpr std::size_t most_at_once = 1024;
constexpr std::size_t most_slow = 10'000;

// From the child. It is our own copy, so it is sent as it lies in memory.
struct Report {
    HomeIdentity home;
    std::int64_t took_ns;
};
static_assert(std::is_trivially_copyable_v<Report> && sizeof(Report) <= 512, "it goes through a pipe in one piece");

std::int64_t now_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return nanoseconds_of(now);
}

// An account may have been removed since, and its name given to another.
std::int64_t passwd_stamp() noexcept {
    struct stat status {};
    return ::stat("/etc/passwd", &status) == 0 ? nanoseconds_of(status.st_ctim) : 0;
}

// It may stay for as long as the machine runs, so it keeps nothing of its parent's open: no listener, no log.
[[noreturn]] void look_and_end(const std::string& home, HomeLookup::Look look, int report) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::dup2(report, 0) != 0 || ::syscall(SYS_close_range, 1U, ~0U, 0) != 0) ::_exit(1);
    const auto begun = now_ns();
    Report found{look(home), 0};
    found.took_ns = now_ns() - begun;
    ::_exit(::write(0, &found, sizeof found) == sizeof found ? 0 : 1);
}

struct Started {
    ChildProcess child;
    UniqueFd report;
};

Started start(const std::string& home, HomeLookup::Look look) {
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), "make a pipe");
    UniqueFd report(ends[0]);
    const UniqueFd childs(ends[1]);
    const pid_t pid = checked(::fork(), "fork a child that looks at a home");
    if (pid == 0) look_and_end(home, look, childs.get());
    return {ChildProcess(pid), std::move(report)};
}

// Empty if the child ended without one.
std::optional<Report> report_from(const UniqueFd& pipe) noexcept {
    Report found{};
    return ::read(pipe.get(), &found, sizeof found) == sizeof found ? std::optional(found) : std::nullopt;
}

}  // namespace

std::optional<HomeIdentity> home_identity_in_time(const std::string& home) {
    auto [child, report] = start(home, home_identity);
    pollfd answered{report.get(), POLLIN, 0};
    const auto limit = std::chrono::milliseconds(patience).count();
    checked(uninterrupted([&] { return ::poll(&answered, 1, static_cast<int>(limit)); }), "wait for a home");
    const auto found = report_from(report);
    if (found) return found->home;
    child.leave();
    return std::nullopt;
}

HomeLookup::~HomeLookup() {
    for (auto& [home, looking] : looking_) {
        looking.watch = {};
        looking.child.leave();
    }
}

void HomeLookup::ask(const std::string& home, Take take) {
    const auto found = looking_.find(home);
    if (found != looking_.end() && !found->second.is_late) {
        found->second.waiting.push_back(std::move(take));
    } else if (found != looking_.end()) {
        take(std::nullopt);
    } else if (const auto* before = found_before(home)) {
        const auto identity = before->identity;
        take(identity);
    } else {
        begin(home, std::move(take));
    }
}

void HomeLookup::begin(const std::string& home, Take take) {
    if (looking_.size() >= most_at_once) throw_errno("look at one more home", EAGAIN);
    auto started = start(home, look_);
    Looking looking;
    looking.child = std::move(started.child);
    looking.report = std::move(started.report);
    looking.watch = loop_.watch(
        looking.report.get(), EPOLLIN, [this, home](std::uint32_t) { take_report(home); },
        EventLoop::Served::Meanwhile);
    looking.limit = loop_.after(patience, [this, home] { give_up(home); });
    looking.waiting.push_back(std::move(take));
    looking_.emplace(home, std::move(looking));
}

void HomeLookup::take_report(const std::string& home) {
    const auto report = report_from(looking_.at(home).report);
    if (report && std::chrono::nanoseconds(report->took_ns) > quick)
        remember(home, report->home, std::chrono::nanoseconds(report->took_ns));
    end(home, report ? std::optional(report->home) : std::nullopt);
}

// It is killed and nevertheless stays, for as long as the file system does not answer: hence remembered twice, as a
// home that did not answer, and as a child that is there.
void HomeLookup::give_up(const std::string& home) {
    log_line(Severity::Warning, "the home " + printable(home) +
                                    " does not answer: the file system that it is on hangs. Its account is "
                                    "answered 503, and its jobs wait, until it answers; nobody else waits");
    remember(home, std::nullopt, patience);
    auto& looking = looking_.at(home);
    looking.is_late = true;
    looking.child.kill();
    looking.watch = loop_.watch(looking.child.pidfd(), EPOLLIN, [this, home](std::uint32_t) { looking_.erase(home); });
    for (const auto& take : std::exchange(looking.waiting, {})) take(std::nullopt);
}

void HomeLookup::end(const std::string& home, const std::optional<HomeIdentity>& identity) {
    const auto looking = looking_.extract(home);
    for (const auto& take : looking.mapped().waiting) take(identity);
}

const HomeLookup::Found* HomeLookup::found_before(const std::string& home) {
    const auto found = slow_.find(home);
    if (found == slow_.end()) return nullptr;
    if (Clock::now() < found->second.until && found->second.passwd == passwd_stamp()) return &found->second;
    slow_.erase(found);
    return nullptr;
}

void HomeLookup::remember(const std::string& home, const std::optional<HomeIdentity>& identity,
                          std::chrono::nanoseconds took) {
    if (slow_.size() >= most_slow) slow_.clear();
    slow_[home] = {identity, Clock::now() + took * pause_factor, passwd_stamp()};
}

std::size_t HomeLookup::stuck() const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(looking_, [](const auto& one) { return one.second.is_late; }));
}

}  // namespace clamscanner
