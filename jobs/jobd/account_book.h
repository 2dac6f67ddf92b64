// Who has a uid now: name, home, and which directory that home is. The name service may take its time, so it is asked
// in a thread of its own; answers come back in jobd's loop. Homes are only looked at from outside, never opened.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "auth/base/event_loop.h"
#include "jobs/jobd/ledger.h"

namespace clamscanner {

class AccountBook {
 public:
    // Empty: there is no such account. Faults of the name service are no answer: `failed` is set and nothing else.
    struct Entry {
        std::optional<AccountFacts> facts;
        bool failed = false;
    };
    using Take = std::function<void(const Entry&)>;

    // `fresh_for`: how long an answer is given again without a look-up, unless the list of local accounts changes.
    AccountBook(EventLoop& loop, std::chrono::milliseconds fresh_for);
    ~AccountBook();
    AccountBook(const AccountBook&) = delete;
    AccountBook& operator=(const AccountBook&) = delete;

    // The answer if it is fresh; else nothing, and a look-up.
    [[nodiscard]] const Entry* fresh(uid_t uid) const;
    // Calls `take` in the loop: now if the answer is fresh, else later.
    void ask(uid_t uid, Take take);

 private:
    void look_up();
    void deliver();

    std::chrono::milliseconds fresh_for_;
    struct Known {
        Entry entry;
        Deadline until;
        std::int64_t passwd;  // passwd_stamp(), before the look-up
    };
    std::map<uid_t, Known> known_;
    std::map<uid_t, std::vector<Take>> waiting_;

    UniqueFd answered_;  // an eventfd: the thread has answers
    EventLoop::Watch watch_;
    std::mutex mutex_;
    std::condition_variable asked_;
    std::deque<uid_t> questions_;                  // under mutex_
    std::deque<std::pair<uid_t, Known>> answers_;  // under mutex_
    bool stopping_ = false;                        // under mutex_
    std::thread thread_;
};

}  // namespace clamscanner
