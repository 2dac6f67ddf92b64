// Disinfections and restorations whose actions come in pieces. One to which no further piece comes for a while comes to
// nothing: whoever sent the others is gone. So does one whose pieces come for too long: its account is busy meanwhile,
// and no scan of it begins.
#pragma once

#include <chrono>
#include <functional>
#include <map>

#include "auth/base/event_loop.h"
#include "jobs/jobd/ledger.h"

namespace clamscanner {

class Preparations {
 public:
    // `freed` is told of each account whose preparation has come to nothing.
    using Freed = std::function<void(uid_t)>;
    Preparations(EventLoop& loop, Ledger& ledger, Freed freed,
                 std::chrono::milliseconds longest = std::chrono::minutes(5))
        : loop_(loop), ledger_(ledger), freed_(std::move(freed)), longest_(longest) {}

    // Begins one for `task` 0, else goes on with that one. Empty if the account is busy, or has no such one.
    [[nodiscard]] std::optional<TaskId> take(AccountId account, TaskId task);
    // All of it has come.
    void finish(TaskId task, TaskKind kind);
    void abandon(TaskId task);

 private:
    EventLoop& loop_;
    Ledger& ledger_;
    Freed freed_;
    std::chrono::milliseconds longest_;
    struct Preparation {
        AccountId account = 0;
        Deadline until;
        EventLoop::Timer deadline;
    };
    std::map<TaskId, Preparation> open_;
};

}  // namespace clamscanner
