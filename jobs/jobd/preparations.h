// Disinfections and restorations whose actions come in pieces. One to which no further piece comes for a while comes to
// nothing: whoever sent the others is gone.
#pragma once

#include <map>

#include "auth/base/event_loop.h"
#include "jobs/jobd/ledger.h"

namespace clamscanner {

class Preparations {
 public:
    Preparations(EventLoop& loop, Ledger& ledger) : loop_(loop), ledger_(ledger) {}

    // Begins one for `task` 0, else goes on with that one. Empty if the account is busy, or has no such one.
    [[nodiscard]] std::optional<TaskId> take(AccountId account, TaskId task);
    // All of it has come.
    void finish(TaskId task, TaskKind kind);
    void abandon(TaskId task);

 private:
    EventLoop& loop_;
    Ledger& ledger_;
    struct Preparation {
        AccountId account = 0;
        EventLoop::Timer deadline;
    };
    std::map<TaskId, Preparation> open_;
};

}  // namespace clamscanner
