// Starts authd's children, receives their reports and reaps them. A child keeps only the descriptors it is given, and
// dies with authd. A child that hangs in the kernel must not block authd: it is reaped when its pidfd becomes readable,
// not in ChildProcess's destructor. One that waits there for files of its user's may never end, so whoever starts
// children as users first counts those that are ending.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"
#include "auth/base/wire.h"

namespace clamscanner {

// The child gets the descriptors `kept` as 3, 4, … in this order, and they survive exec; all others except 0 to 2 are
// closed. The child ends with die() when `body` throws, and with status 0 when it returns.
[[nodiscard]] ChildProcess fork_child(const std::vector<int>& kept, const std::function<void()>& body);

// Has the kernel kill the calling process when authd dies. Call it again after every change of uid, which clears the
// setting.
void die_with_authd() noexcept;

class Children {
 public:
    using Body = std::function<void(int report)>;
    using Reported = std::function<void(const std::string& report, ChildProcess child)>;

    // `longest_end`: a child that takes longer to end waits in the kernel. The grace that an agent gets is less.
    explicit Children(EventLoop& loop, std::chrono::milliseconds longest_end = std::chrono::seconds(7))
        : loop_(loop), longest_end_(longest_end) {}
    ~Children();
    Children(const Children&) = delete;
    Children& operator=(const Children&) = delete;

    // Forks a child that must send one message on `report`, the descriptor after those it keeps, within `limit`. Then
    // calls `reported` once; the report is empty when none arrived. Throws std::system_error.
    std::uint64_t begin(std::vector<int> kept, std::chrono::seconds limit, const Body& body, Reported reported);
    // Kills a child that has not reported; `reported` is not called. `uid`: as in reap().
    void abandon(std::uint64_t child, uid_t uid = 0) {
        if (auto found = reporting_.extract(child)) kill_and_reap(std::move(found.mapped().process), uid);
    }

    // Kills the child and reaps it.
    void kill_and_reap(ChildProcess child, uid_t uid = 0) {
        child.kill();
        reap(std::move(child), std::chrono::milliseconds(0), uid);
    }
    // Reaps the child, and kills it if it has not ended by itself after `grace`. `uid`: whom it has become, or becomes.
    // `lifeline`: our end of a socket pair. The child is not gone before the other end is closed everywhere: by then
    // its own children are gone, too.
    void reap(ChildProcess child, std::chrono::milliseconds grace, uid_t uid = 0, UniqueFd lifeline = {});
    // Kills the children of that uid which are being reaped, and calls `gone`, now or later, once all of them are.
    void when_gone(uid_t uid, std::function<void()> gone);
    // The children of that uid which are being reaped; and whether that takes so long that they wait in the kernel.
    [[nodiscard]] std::size_t ending(uid_t uid) const noexcept;
    [[nodiscard]] bool hangs(uid_t uid) const noexcept;

 private:
    struct Reporting {
        ChildProcess process;
        UniqueFd report;
        EventLoop::Watch watch;
        EventLoop::Timer limit;
        Reported reported;
    };
    struct Dying {
        ChildProcess process;
        UniqueFd lifeline;
        EventLoop::Watch watch;  // of the process; once that has ended, of the lifeline
        EventLoop::Timer grace;
        uid_t uid = 0;
        Deadline since = Clock::now();
    };
    void take_report(std::uint64_t child);
    void take_end(std::uint64_t child);
    void take_gone(std::uint64_t child);
    [[nodiscard]] bool is_gone(uid_t uid) const { return ending(uid) == 0; }

    EventLoop& loop_;
    const std::chrono::milliseconds longest_end_;
    std::uint64_t next_child_ = 1;
    std::unordered_map<std::uint64_t, Reporting> reporting_;
    std::unordered_map<std::uint64_t, Dying> dying_;
    std::multimap<uid_t, std::function<void()>> awaited_;
};

// A missing or malformed report (the child was killed, or a PAM module interfered) is an internal fault, which is what
// a default Message{} means.
template <class Message>
[[nodiscard]] Message report_or_fault(const std::string& report) try {
    return decode<Message>(report);
} catch (const Malformed&) {
    return {};
}

}  // namespace clamscanner
