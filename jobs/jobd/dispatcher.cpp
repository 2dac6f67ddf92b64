#include "jobs/jobd/dispatcher.h"

#include <algorithm>

#include "auth/base/log.h"
#include "jobs/jobd/disinfection_job.h"
#include "jobs/jobd/restoration_job.h"
#include "jobs/jobd/scan_job.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 250ms;
constexpr std::uint32_t most_attempts = 3;
constexpr auto delay_after_failure = 2s;
constexpr auto delay_after_postponement = 1s;
constexpr std::size_t log_copies_at_once = 2;
constexpr auto longest_wait = 1h;

// Whose turn it is when this task starts. No account has the number of the system scans.
AccountId customer_of(const Task& task) {
    return task.of_system_scan ? 0 : task.account;
}

}  // namespace

Dispatcher::Dispatcher(const JobSurroundings& surroundings, AccountBook& accounts)
    : surroundings_(surroundings), accounts_(accounts), logs_due_(Clock::now()) {
    for (auto& task : surroundings_.ledger.queued_tasks()) add(std::move(task));
    tick();
}

void Dispatcher::tick() {
    // dispatch() runs at the end of the round that this timer makes. Not in every round: polls make thousands.
    may_start_ = true;
    next_tick_ = surroundings_.loop.after(tick_interval, [this] { tick(); });
}

void Dispatcher::add(AccountTask task) {
    const TaskId id = task.task.id;
    waiting_.emplace(id, Waiting{std::move(task), Clock::now()});
    may_start_ = true;
}

bool Dispatcher::is_busy(AccountId account) const {
    const auto of_account = [&](const auto& entry) { return entry.second->task().account == account; };
    return std::any_of(running_.begin(), running_.end(), of_account) ||
           std::any_of(log_copies_.begin(), log_copies_.end(), of_account);
}

std::size_t Dispatcher::active() const {
    const auto patience = std::chrono::seconds(surroundings_.config.jobs.stall_seconds);
    return static_cast<std::size_t>(std::count_if(
        running_.begin(), running_.end(), [&](const auto& entry) { return entry.second->kept_waiting() < patience; }));
}

void Dispatcher::dispatch() {
    const auto patience = std::chrono::seconds(surroundings_.config.jobs.abandon_seconds);
    for (auto* jobs : {&running_, &log_copies_}) {
        for (auto entry = jobs->begin(); entry != jobs->end();) {
            Job& job = *entry->second;
            if (job.end() == Job::End::Not && job.stood_still() > patience)
                job.fail("the process that works in the home stood still");
            if (job.end() == Job::End::Not && is_overdue(surroundings_.config, job.begun_ms()))
                job.fail("it took longer than the administrator allows");
            if (job.end() == Job::End::Not) {
                ++entry;
                continue;
            }
            if (jobs == &running_) {
                use_.add(customer_of(job.task()), job.used(), Clock::now());
                settle(job);
                if (surroundings_.ledger.task(entry->first).state == TaskState::Ended) job.clear_away();
            }
            const uid_t uid = job.account().uid;
            entry = jobs->erase(entry);
            may_start_ = true;
            when_free_(uid);
        }
    }
    if (std::exchange(may_start_, false)) {
        start_some();
        end_turns();
    }
    if (Clock::now() >= logs_due_) copy_pending_logs();
}

// ---- Starting ------------------------------------------------------------------------------------------------------

std::map<TaskId, Dispatcher::Waiting>::iterator Dispatcher::next_in_turn() {
    const auto now = Clock::now();
    auto best = waiting_.end();
    UseBook::Rank best_rank;
    for (auto entry = waiting_.begin(); entry != waiting_.end(); ++entry) {
        const auto& task = entry->second.task.task;
        if (!entry->second.may_start(now) || is_busy(task.account)) continue;
        // Whoever has waited for very long has waited long enough, however much was used before.
        const auto rank =
            now - entry->second.not_before > longest_wait ? UseBook::Rank{} : use_.rank(customer_of(task), now);
        if (best == waiting_.end() || rank < best_rank) {
            best = entry;
            best_rank = rank;
        }
    }
    return best;
}

// Whoever has had a turn, while somebody else could start but for the place.
void Dispatcher::end_turns() {
    const auto now = Clock::now();
    const auto turn = std::chrono::minutes(surroundings_.config.jobs.turn_minutes);
    for (const auto& [id, job] : running_) {
        if (job->end() != Job::End::Not || job->used() < turn) continue;
        const auto customer = customer_of(job->task());
        const bool somebody_waits = std::any_of(waiting_.begin(), waiting_.end(), [&](const auto& entry) {
            const auto& task = entry.second.task.task;
            return entry.second.may_start(now) && customer_of(task) != customer && !is_busy(task.account);
        });
        if (somebody_waits) job->ask_to_end_turn();
    }
}

void Dispatcher::start_some() {
    const auto& limits = surroundings_.config.jobs;
    std::size_t starting = static_cast<std::size_t>(
        std::count_if(waiting_.begin(), waiting_.end(), [](const auto& entry) { return entry.second.asked; }));
    // Jobs that stand still hold no place, but a process each: so not without end.
    while (active() + starting < limits.max_running && running_.size() + starting < limits.max_running * 8) {
        const auto next = next_in_turn();
        if (next == waiting_.end()) return;
        next->second.asked = true;
        ++starting;
        start_if_account_fits(next->first);
    }
}

void Dispatcher::start_if_account_fits(TaskId id) {
    const uid_t uid = waiting_.at(id).task.account.uid;
    accounts_.ask(uid, [this, id](const AccountBook::Entry& entry) {
        const auto found = waiting_.find(id);
        if (found == waiting_.end()) return;
        if (entry.failed) {
            found->second.asked = false;
            found->second.not_before = Clock::now() + delay_after_postponement;
            return;
        }
        AccountTask task = std::move(found->second.task);
        waiting_.erase(found);
        if (entry.facts && *entry.facts == task.account) {
            start(std::move(task));
        } else {
            // Another owner has this uid by now, or nobody: nothing of the old one's is acted on.
            log_line(Severity::Warning,
                     "a task of " + printable(task.account.name) + " is dropped: the account changed");
            surroundings_.ledger.end(task.task.id, Outcome::EndedEarly, "the account changed");
        }
    });
}

void Dispatcher::start(AccountTask task) {
    const TaskId id = task.task.id;
    // What the ledger says now, not when it was queued: attempts and starts count.
    task.task = surroundings_.ledger.task(id);
    use_.start(customer_of(task.task));
    std::unique_ptr<Job> job;
    if (task.task.kind == TaskKind::Scan)
        job = std::make_unique<ScanJob>(surroundings_, std::move(task));
    else if (task.task.kind == TaskKind::Restoration)
        job = std::make_unique<RestorationJob>(surroundings_, std::move(task));
    else
        job = std::make_unique<DisinfectionJob>(surroundings_, std::move(task));
    Job& started = *job;
    running_.emplace(id, std::move(job));
    started.start();
}

// ---- Ending --------------------------------------------------------------------------------------------------------

void Dispatcher::settle(Job& job) {
    auto& ledger = surroundings_.ledger;
    Task task = ledger.task(job.task().id);
    if (job.end() == Job::End::Over || task.state == TaskState::Ended) return;
    const bool failed = job.end() == Job::End::Failed;
    const bool had_its_turn = job.end() == Job::End::TurnOver;
    if (!had_its_turn)
        log_line(Severity::Info,
                 "a job of " + printable(job.account().name) + " did not end well: " + printable(job.why()));
    ledger.requeue(task.id, failed, job.why());
    ledger.set_why(task.id, job.why());
    task = ledger.task(task.id);
    // Nobody waits for the owner's return but the owner's own tasks.
    const bool is_given_up =
        is_overdue(surroundings_.config, job.begun_ms()) || (job.suspended() && task.of_system_scan);
    if (task.attempts >= most_attempts || is_given_up) {
        end_failed(job);
        return;
    }
    auto delay = failed ? std::chrono::milliseconds(delay_after_failure) * task.attempts
                        : std::chrono::milliseconds(delay_after_postponement);
    if (job.suspended()) delay = std::chrono::seconds(surroundings_.config.jobs.retry_seconds);
    if (had_its_turn) delay = 0ms;
    waiting_.emplace(task.id, Waiting{{task, job.account()}, Clock::now() + delay});
}

void Dispatcher::end_failed(const Job& job) {
    auto& ledger = surroundings_.ledger;
    const Task task = job.task();
    if (task.kind != TaskKind::Disinfection) {
        ledger.end(task.id, Outcome::EndedEarly, job.why());
        return;
    }
    ledger.record_issue(task.id, RecordState::Error, job.why());
    ledger.record_done(task.id, RecordState::Error, "ended early: " + job.why(), Outcome::EndedEarly);
    logs_due_ = Clock::now();
}

void Dispatcher::copy_pending_logs() {
    logs_due_ = Clock::now() + std::chrono::seconds(surroundings_.config.jobs.retry_seconds);
    for (auto& task : surroundings_.ledger.tasks_with_pending_log(log_copies_at_once * 4)) {
        const TaskId id = task.task.id;
        if (log_copies_.size() >= log_copies_at_once) return;
        if (is_busy(task.task.account)) continue;
        // An account that is no more gets no runner: authd refuses one for a uid whose name has changed.
        auto job = std::make_unique<LogCopyJob>(surroundings_, std::move(task));
        Job& started = *job;
        log_copies_.emplace(id, std::move(job));
        started.start();
    }
}

void Dispatcher::flush() {
    for (auto* jobs : {&running_, &log_copies_})
        for (const auto& [id, job] : *jobs) job->flush();
}

void Dispatcher::cancel_scan(TaskId task) {
    const auto running = running_.find(task);
    if (running != running_.end()) return running->second->cancel();
    waiting_.erase(task);
    surroundings_.ledger.cancel_scan(task);
}

std::string Dispatcher::current_file(TaskId task) const {
    const auto found = running_.find(task);
    return found == running_.end() ? std::string() : found->second->current_file();
}

}  // namespace clamscanner
