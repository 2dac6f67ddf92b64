#include "jobs/jobd/waiting_tasks.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto longest_wait_behind_others = 1h;
constexpr auto order_stays_good = 250ms;

// Whose use of the scanner the task counts as. Account ids start at 1, so 0 stands for the system scans.
AccountId customer_of(const Task& task) {
    return task.of_system_scan ? 0 : task.account;
}

}  // namespace

void WaitingTasks::add(AccountTask task, Deadline not_before) {
    const TaskId id = task.task.id;
    waiting_.emplace(id, Waiting{std::move(task), not_before});
    ordered_at_.reset();
}

void WaitingTasks::remove(TaskId id) {
    waiting_.erase(id);
    ordered_at_.reset();
}

const AccountTask* WaitingTasks::find(TaskId id) const {
    const auto found = waiting_.find(id);
    return found == waiting_.end() ? nullptr : &found->second.task;
}

Clock::duration WaitingTasks::longest_wait(Deadline now) const {
    auto longest = Clock::duration::min();
    for (const auto& [id, waiting] : waiting_) longest = std::max(longest, now - waiting.not_before);
    return longest;
}

// ---- Whose turn it is ----------------------------------------------------------------------------------------------

bool WaitingTasks::has_waited_long(const Waiting& waiting, Deadline now) {
    return now - waiting.not_before > longest_wait_behind_others;
}

WaitingTasks::Rank WaitingTasks::rank_of(const Waiting& waiting, Deadline now) const {
    const auto& task = waiting.task.task;
    // A task that has waited this long comes first, however much its account has used.
    if (has_waited_long(waiting, now)) return {};
    return {task.scheduled, recent_use_.rank(customer_of(task), now)};
}

std::optional<TaskId> WaitingTasks::next(const IsBusy& is_busy, Deadline now) const {
    std::optional<TaskId> best;
    Rank best_rank;
    for (const auto& [id, waiting] : waiting_) {
        if (!waiting.may_start(now) || is_busy(waiting.task.task.account)) continue;
        const auto rank = rank_of(waiting, now);
        if (best && rank >= best_rank) continue;
        best = id;
        best_rank = rank;
    }
    return best;
}

bool WaitingTasks::another_could_start(const Task& than, const IsBusy& is_busy, Deadline now) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&](const auto& entry) {
        const auto& task = entry.second.task.task;
        return entry.second.may_start(now) && customer_of(task) != customer_of(than) && !is_busy(task.account);
    });
}

void WaitingTasks::begin_check(TaskId id) {
    waiting_.at(id).in_check = true;
    ordered_at_.reset();
}

std::size_t WaitingTasks::in_check() const {
    return static_cast<std::size_t>(
        std::count_if(waiting_.begin(), waiting_.end(), [](const auto& entry) { return entry.second.in_check; }));
}

void WaitingTasks::postpone(TaskId id, Deadline not_before) {
    auto& waiting = waiting_.at(id);
    waiting.in_check = false;
    waiting.not_before = not_before;
    ordered_at_.reset();
}

void WaitingTasks::note_start(const Task& task) {
    recent_use_.start(customer_of(task));
    ordered_at_.reset();
}

void WaitingTasks::note_use(const Task& task, Clock::duration used, Deadline now) {
    recent_use_.add(customer_of(task), used, now);
    ordered_at_.reset();
}

// ---- For owners ----------------------------------------------------------------------------------------------------

void WaitingTasks::put_in_order(Deadline now) {
    std::vector<std::pair<Rank, TaskId>> order;
    order.reserve(waiting_.size());
    bool of_system_scan = false;  // one came before
    for (const auto& [id, waiting] : waiting_) {
        if (!waiting.may_start(now)) continue;
        auto rank = rank_of(waiting, now);
        // The start of its first job makes that scan the customer that had its last start of all.
        if (waiting.task.task.of_system_scan && !has_waited_long(waiting, now) && std::exchange(of_system_scan, true))
            rank.second.second = std::numeric_limits<decltype(rank.second.second)>::max();
        order.emplace_back(rank, id);
    }
    std::sort(order.begin(), order.end());
    places_.clear();
    for (const auto& [rank, id] : order) places_.emplace(id, places_.size());
    ordered_at_ = now;
}

std::optional<std::uint64_t> WaitingTasks::before(TaskId id, Deadline now) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return std::nullopt;
    if (found->second.in_check) return 0;
    if (!ordered_at_ || now - *ordered_at_ >= order_stays_good) put_in_order(now);
    const auto place = places_.find(id);
    return place == places_.end() ? std::nullopt : std::optional(place->second);
}

}  // namespace clamscanner
