#include "auth/authd/children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"

namespace clamscanner {
namespace {

pid_t authd = 0;

void keep_only(const std::vector<int>& kept) {
    // First move all of them out of the way: one may already have a number that another is to get.
    std::vector<int> moved;
    for (const int fd : kept) moved.push_back(checked(::fcntl(fd, F_DUPFD_CLOEXEC, 64), "keep a descriptor"));
    int next = 3;
    for (const int fd : moved) checked(::dup2(fd, next++), "keep a descriptor");
    checked(::syscall(SYS_close_range, static_cast<unsigned>(next), ~0U, 0), "close the descriptors of authd");
}

}  // namespace

void die_with_authd() noexcept {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != authd) ::_exit(70);
}

ChildProcess fork_child(const std::vector<int>& kept, const std::function<void()>& body) {
    authd = ::getpid();
    const pid_t pid = checked(::fork(), "fork a child");
    if (pid != 0) return ChildProcess(pid);
    try {
        reset_signals();
        ignore_stray_signals();
        die_with_authd();
        keep_only(kept);
        body();
        ::_exit(0);
    } catch (const std::exception& fault) {
        die(fault.what());
    }
}

std::uint64_t Children::begin(std::vector<int> kept, std::chrono::seconds limit, const Body& body, Reported reported) {
    auto [ours, childs] = socket_pair(SOCK_SEQPACKET);
    set_blocking(ours.get(), false);
    kept.push_back(childs.get());
    auto process = fork_child(kept, [&] { body(2 + static_cast<int>(kept.size())); });
    const auto id = next_child_++;
    auto watch = loop_.watch(ours.get(), EPOLLIN, [this, id](std::uint32_t) { take_report(id); });
    auto timer = loop_.after(limit, [this, id] {
        log_line(Severity::Error, "a child took too long");
        take_report(id);
    });
    reporting_[id] = {std::move(process), std::move(ours), std::move(watch), std::move(timer), std::move(reported)};
    return id;
}

void Children::take_report(std::uint64_t id) {
    auto child = std::move(reporting_.extract(id).mapped());
    Packet packet;
    try {
        if (receive_packet(child.report.get(), packet) != Got::Packet || !packet.descriptors.empty()) packet = {};
    } catch (const std::exception& fault) {
        log_line(Severity::Error, std::string("cannot read a child's report: ") + fault.what());
        packet = {};
    }
    child.reported(packet.bytes, std::move(child.process));
}

Children::~Children() {
    for (auto& [id, dying] : dying_) {
        dying.watch = {};
        dying.process.leave();
    }
    for (auto& [id, reporting] : reporting_) reporting.process.leave();
}

void Children::reap(ChildProcess child, std::chrono::milliseconds grace, uid_t uid, UniqueFd lifeline) {
    if (!child || (!lifeline && child.ended())) return;
    const auto id = next_child_++;
    auto& dying = dying_[id];
    dying.process = std::move(child);
    dying.lifeline = std::move(lifeline);
    dying.uid = uid;
    dying.watch = loop_.watch(dying.process.pidfd(), EPOLLIN, [this, id](std::uint32_t) { take_end(id); });
    if (grace.count() > 0) dying.grace = loop_.after(grace, [&dying] { dying.process.kill(); });
}

void Children::take_end(std::uint64_t id) {
    auto& dying = dying_.at(id);
    if (!dying.lifeline) return take_gone(id);
    dying.grace = {};
    dying.watch = loop_.watch(dying.lifeline.get(), 0, [this, id](std::uint32_t) { take_gone(id); });
    dying.process = {};
}

void Children::take_gone(std::uint64_t id) {
    const uid_t uid = dying_.at(id).uid;
    dying_.erase(id);
    if (!is_gone(uid)) return;
    for (auto awaited = awaited_.extract(uid); awaited; awaited = awaited_.extract(uid)) awaited.mapped()();
}

std::size_t Children::ending(uid_t uid) const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(dying_, [uid](const auto& one) { return one.second.uid == uid; }));
}

bool Children::hangs(uid_t uid) const noexcept {
    const auto now = Clock::now();
    return std::ranges::any_of(
        dying_, [&](const auto& one) { return one.second.uid == uid && now - one.second.since > longest_end_; });
}

void Children::when_gone(uid_t uid, std::function<void()> gone) {
    for (auto& [id, dying] : dying_)
        if (dying.uid == uid) dying.process.kill();
    if (is_gone(uid)) return gone();
    awaited_.emplace(uid, std::move(gone));
}

}  // namespace clamscanner
