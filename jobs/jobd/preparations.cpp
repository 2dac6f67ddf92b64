#include "jobs/jobd/preparations.h"

namespace clamscanner {
namespace {

constexpr std::chrono::seconds patience{20};

}  // namespace

std::optional<TaskId> Preparations::take(AccountId account, TaskId task) {
    if (task == 0) {
        const auto begun = ledger_.tasks().queue(account, TaskKind::Preparation);
        if (!begun) return std::nullopt;
        task = *begun;
        open_[task].account = account;
    }
    const auto found = open_.find(task);
    if (found == open_.end() || found->second.account != account) return std::nullopt;
    found->second.deadline = loop_.after(patience, [this, task] { abandon(task); });
    return task;
}

void Preparations::finish(TaskId task, TaskKind kind) {
    ledger_.tasks().turn_into(task, kind);
    open_.erase(task);
}

void Preparations::abandon(TaskId task) {
    ledger_.tasks().abandon(task);
    open_.erase(task);
}

}  // namespace clamscanner
