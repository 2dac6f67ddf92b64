#include "jobs/jobd/preparations.h"

#include <algorithm>

namespace clamscanner {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds patience{20'000};

}  // namespace

std::optional<TaskId> Preparations::take(AccountId account, TaskId task) {
    if (task == 0) {
        const auto begun = ledger_.tasks().queue(account, TaskKind::Preparation);
        if (!begun) return std::nullopt;
        task = *begun;
        open_[task].account = account;
        open_[task].until = Clock::now() + longest_;
    }
    const auto found = open_.find(task);
    if (found == open_.end() || found->second.account != account) return std::nullopt;
    const auto left = std::chrono::duration_cast<milliseconds>(found->second.until - Clock::now());
    found->second.deadline = loop_.after(std::clamp(left, milliseconds(0), patience), [this, task] { abandon(task); });
    return task;
}

void Preparations::finish(TaskId task, TaskKind kind) {
    ledger_.tasks().turn_into(task, kind);
    open_.erase(task);
}

void Preparations::abandon(TaskId task) {
    auto& tasks = ledger_.tasks();
    tasks.abandon(task);
    const auto ended = open_.extract(task);
    if (ended.empty()) return;
    if (const auto facts = tasks.find_account(ended.mapped().account)) freed_(facts->uid);
}

}  // namespace clamscanner
