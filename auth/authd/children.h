// authd's children: how they begin, how one reports, how they end. A child keeps no descriptor but those it is given,
// and dies with authd. One that hangs in the kernel must not make authd wait: it is reaped when its pidfd says so, not
// by ChildProcess's destructor.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"
#include "auth/base/wire.h"

namespace clamscanner {

// In the child the descriptors `kept` are 3, 4, … in this order and go through an exec; everything else but 0 to 2 is
// closed. A fault in `body` ends the child (die()); so does its return, with status 0.
[[nodiscard]] ChildProcess fork_child(const std::vector<int>& kept, const std::function<void()>& body);

// Kills the calling process when authd dies. To be said again after every change of the uid, which clears it.
void die_with_authd() noexcept;

class Children {
 public:
    using Body = std::function<void(int report)>;
    using Reported = std::function<void(const std::string& report, ChildProcess child)>;

    explicit Children(EventLoop& loop) : loop_(loop) {}

    // Forks a child that is to say one thing on `report`, the descriptor after those it keeps, within `limit`. Then
    // calls `reported`, once; the report is empty when none came. Throws std::system_error.
    std::uint64_t begin(std::vector<int> kept, std::chrono::seconds limit, const Body& body, Reported reported);
    // Kills a child that has not reported. Nothing is called.
    void abandon(std::uint64_t child) {
        if (auto found = reporting_.extract(child)) bury(std::move(found.mapped().process));
    }

    // Kills and reaps.
    void bury(ChildProcess child) {
        child.kill();
        await(std::move(child), std::chrono::milliseconds(0));
    }
    // Reaps; kills what has not ended by itself after `grace`.
    void await(ChildProcess child, std::chrono::milliseconds grace);

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
        EventLoop::Watch watch;
        EventLoop::Timer grace;
    };
    void take_report(std::uint64_t child);

    EventLoop& loop_;
    std::uint64_t next_child_ = 1;
    std::unordered_map<std::uint64_t, Reporting> reporting_;
    std::unordered_map<int, Dying> dying_;  // by pidfd
};

// A child that was cut short, or that a module of PAM made say something else, is a fault of ours: Message{} says so.
template <class Message>
[[nodiscard]] Message report_or_fault(const std::string& report) try {
    return decode<Message>(report);
} catch (const Malformed&) {
    return {};
}

}  // namespace clamscanner
