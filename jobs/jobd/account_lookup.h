// Looks up which account has a uid now: its name, its home and the identity of the home's directory. The name service
// may be slow, so a thread of its own asks it; homes may hang, so a child looks at each (home_lookup.h). Answers are
// delivered in jobd's event loop. Homes are only examined with stat, never opened.
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
#include "auth/base/home_lookup.h"
#include "jobs/jobd/task.h"

namespace clamscanner {

class AccountLookup {
 public:
    enum class Home : std::uint8_t { Seen, Missing, Hangs };
    // `facts` is empty if there is no such account. If the name service fails, only `failed` is set. While the home
    // does not answer, the facts have the identity that it had, if it is known and /etc/passwd has not changed since,
    // and else none.
    struct Entry {
        std::optional<AccountFacts> facts;
        bool failed = false;
        Home home = Home::Seen;
        // Whether it may be the same account as an earlier one: of a home that has not answered yet, nobody knows.
        [[nodiscard]] bool is_known() const { return facts && (home != Home::Hangs || facts->inode != 0); }
        // Whether it surely is another account than that one. The account itself can keep us from examining its home:
        // by a mount of its own there (FUSE), which nobody else may look at. That makes it no other one.
        [[nodiscard]] bool is_another_than(const AccountFacts& known) const {
            if (!facts) return true;
            const bool is_home_known = facts->inode != 0;
            return facts->name != known.name || facts->home != known.home || (is_home_known && *facts != known);
        }
    };
    using Take = std::function<void(const Entry&)>;

    // `fresh_for`: how long an answer is reused without a look-up, unless /etc/passwd changes.
    AccountLookup(EventLoop& loop, std::chrono::milliseconds fresh_for);
    ~AccountLookup();
    AccountLookup(const AccountLookup&) = delete;
    AccountLookup& operator=(const AccountLookup&) = delete;

    // The answer if it is fresh, else null.
    [[nodiscard]] const Entry* fresh(uid_t uid) const;
    // Calls `take` in the event loop: at once if the answer is fresh, else after a look-up.
    void ask(uid_t uid, Take take);
    // While this is set, in the middle of a round (EventLoop::serve_meanwhile), no answer is delivered before the next
    // round: of each account whose answer is fresh now, `news` is told. Empty ends that.
    using News = std::function<void(uid_t uid)>;
    void tell_only(News news);

 private:
    struct Known {
        Entry entry;
        Deadline until;
        std::int64_t passwd;  // passwd_stamp(), before the look-up
    };
    void look_up();
    void take_answers();
    void look_at_home(uid_t uid, const Known& known);
    void take_home(uid_t uid, Known known, const std::optional<HomeIdentity>& home);
    void deliver(uid_t uid, const Known& known);

    std::chrono::milliseconds fresh_for_;
    HomeLookup homes_;
    std::map<uid_t, Known> known_;
    std::map<uid_t, std::vector<Take>> waiting_;

    News news_;
    std::vector<EventLoop::Timer> due_;

    UniqueFd answered_;  // an eventfd: signals that the thread has answers
    EventLoop& loop_;
    EventLoop::Watch watch_;
    std::mutex mutex_;
    std::condition_variable asked_;
    std::deque<uid_t> questions_;                  // under mutex_
    std::deque<std::pair<uid_t, Known>> answers_;  // under mutex_
    bool stopping_ = false;                        // under mutex_
    std::thread thread_;
};

}  // namespace clamscanner
