// The tasks that wait for a slot, and their order. Next is the task of the customer that used the scanner least lately;
// at equal use, the one that was queued first. Scans of schedules come after all others, until they have waited for
// long. Used by the dispatcher alone, single-threaded; it starts nothing itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "jobs/jobd/recent_use.h"
#include "jobs/jobd/task.h"

namespace clamscanner {

class WaitingTasks {
 public:
    // It may start from then on.
    void add(AccountTask task, Deadline not_before);
    void remove(TaskId id);
    // Null: it does not wait.
    [[nodiscard]] const AccountTask* find(TaskId id) const;
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
    // Of the task that waits longest; less than 0 if none may start yet.
    [[nodiscard]] Clock::duration longest_wait(Deadline now) const;

    // ---- Whose turn it is
    // Whether this account cannot have a task started now, although none of its tasks runs.
    using IsBusy = std::function<bool(AccountId)>;
    [[nodiscard]] std::optional<TaskId> next(const IsBusy& is_busy, Deadline now) const;
    // Whether a task of another customer could start in place of this one.
    [[nodiscard]] bool another_could_start(const Task& than, const IsBusy& is_busy, Deadline now) const;
    // Its account is being looked up: then it is removed and started, or postponed.
    void begin_check(TaskId id);
    [[nodiscard]] std::size_t in_check() const;
    void postpone(TaskId id, Deadline not_before);

    // ---- What customers have used
    void note_start(const Task& task);
    void note_use(const Task& task, Clock::duration used, Deadline now);

    // ---- For owners
    // How many tasks will start before this one, if nothing is added and nothing ends: those that wait for their turn
    // alone. Empty: it does not wait, or it may not start yet. Found without passing the tasks, but once after each
    // change and each quarter of a second.
    [[nodiscard]] std::optional<std::uint64_t> before(TaskId id, Deadline now);

 private:
    struct Waiting {
        AccountTask task;
        Deadline not_before;
        bool in_check = false;
        [[nodiscard]] bool may_start(Deadline now) const { return !in_check && not_before <= now; }
    };
    // Whether it comes after all others; its customer's use.
    using Rank = std::pair<bool, RecentUse::Rank>;
    [[nodiscard]] static bool has_waited_long(const Waiting& waiting, Deadline now);
    [[nodiscard]] Rank rank_of(const Waiting& waiting, Deadline now) const;
    void put_in_order(Deadline now);

    std::map<TaskId, Waiting> waiting_;
    RecentUse recent_use_;
    std::unordered_map<TaskId, std::uint64_t> places_;  // from 0, as of put_in_order()
    std::optional<Deadline> ordered_at_;                // empty: something has changed since
};

}  // namespace clamscanner
