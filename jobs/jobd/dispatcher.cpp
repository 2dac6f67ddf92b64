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
constexpr auto delay_while_files_hang = 10s;
constexpr std::size_t log_copies_at_once = 2;

}  // namespace

Dispatcher::Dispatcher(const JobContext& context, AccountLookup& accounts)
    : context_(context), accounts_(accounts), endings_(context), logs_due_(Clock::now()) {
    for (auto& task : context_.ledger.tasks().queued()) add(std::move(task));
    tick();
}

void Dispatcher::tick() {
    // dispatch() runs at the end of the round that this timer causes. Not in every round: polls cause thousands of
    // them.
    recheck_ = true;
    next_tick_ = context_.loop.after(tick_interval, [this] { tick(); });
}

void Dispatcher::add(AccountTask task) {
    const TaskId id = task.task.id;
    if (task.task.outcome != Outcome::None) return endings_.resume(id, task.account.home);
    waiting_.add(std::move(task), Clock::now());
    recheck_ = true;
}

bool Dispatcher::is_busy(AccountId account) const {
    const auto of_account = [&](const auto& entry) { return entry.second->task().account == account; };
    return std::any_of(running_.begin(), running_.end(), of_account) ||
           std::any_of(log_copies_.begin(), log_copies_.end(), of_account);
}

std::size_t Dispatcher::active() const {
    const auto limit = std::chrono::seconds(context_.config.jobs.stall_seconds);
    return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [&](const auto& entry) {
        return entry.second->runner_owes_answer_for() < limit;
    }));
}

void Dispatcher::dispatch() {
    const auto limit = std::chrono::seconds(context_.config.jobs.abandon_seconds);
    for (auto* jobs : {&running_, &log_copies_}) {
        for (auto entry = jobs->begin(); entry != jobs->end();) {
            Job& job = *entry->second;
            if (job.end() == Job::End::None && job.runner_silent_for() > limit)
                job.fail("the process that works in the home stopped responding");
            if (job.end() == Job::End::None && is_overdue(context_, job.begun_running_ms()))
                job.fail("it took longer than the administrator allows");
            if (job.end() == Job::End::None) {
                ++entry;
                continue;
            }
            if (jobs == &running_) {
                waiting_.note_use(job.task(), job.used(), Clock::now());
                settle(job);
                const Task known = context_.ledger.tasks().get(entry->first);
                if (known.state == TaskState::Ended) job.remove_leftovers();
                if (known.state != TaskState::Ended && known.outcome != Outcome::None && !endings_.contains(known.id))
                    endings_.resume(known.id, job.account().home);
            }
            const uid_t uid = job.account().uid;
            entry = jobs->erase(entry);
            recheck_ = true;
            tell_free(uid);
        }
    }
    if (std::exchange(recheck_, false)) {
        start_tasks();
        end_turns();
    }
    if (Clock::now() >= logs_due_) copy_pending_logs();
}

// ---- Starting ------------------------------------------------------------------------------------------------------

// Ends the turn of each job that has had one, if another customer's task could start in its slot.
void Dispatcher::end_turns() {
    const auto now = Clock::now();
    const auto turn = std::chrono::minutes(context_.config.jobs.turn_minutes);
    const auto is_busy = [this](AccountId account) { return this->is_busy(account); };
    for (const auto& [id, job] : running_) {
        if (job->end() != Job::End::None || job->used() < turn) continue;
        if (waiting_.another_could_start(job->task(), is_busy, now)) job->ask_to_end_turn();
    }
}

void Dispatcher::start_tasks() {
    const auto& limits = context_.config.jobs;
    const auto is_busy = [this](AccountId account) { return this->is_busy(account); };
    // Counted anew each time: a job that cannot start now, and is postponed at once, takes nobody's place.
    // Stalled jobs hold no slot, but each holds a process, so their number is limited, too.
    while (active() + waiting_.in_check() < limits.max_running &&
           running_.size() + waiting_.in_check() < limits.max_running * 8) {
        const auto next = waiting_.next(is_busy, Clock::now());
        if (!next) return;
        waiting_.begin_check(*next);
        start_if_account_fits(*next);
    }
}

void Dispatcher::start_if_account_fits(TaskId id) {
    const uid_t uid = waiting_.find(id)->account.uid;
    accounts_.ask(uid, [this, id](const AccountLookup::Entry& entry) {
        const auto* const found = waiting_.find(id);
        if (found == nullptr) return;
        if (entry.failed || entry.home == AccountLookup::Home::Hangs) return postpone(id, entry);
        AccountTask task = *found;
        waiting_.remove(id);
        if (entry.facts && *entry.facts == task.account) {
            start(std::move(task));
        } else {
            // The uid belongs to another owner now, or to nobody: never act for the old one.
            log_line(Severity::Warning,
                     "a task of " + printable(task.account.name) + " is dropped: the account changed");
            end_early(task.task, task.account, "the account changed");
        }
    });
}

void Dispatcher::postpone(TaskId id, const AccountLookup::Entry& entry) {
    waiting_.postpone(id, Clock::now() + (entry.failed ? delay_after_postponement : delay_while_files_hang));
    if (entry.failed) return;
    const std::string why = std::string("the home directory ") + home_hangs;
    context_.ledger.tasks().set_why(id, why);
    const AccountTask task = *waiting_.find(id);
    // It would delay the scan of all accounts; and a schedule has its next one.
    if (!task.task.of_system_scan && !task.task.scheduled) return;
    waiting_.remove(id);
    end_early(task.task, task.account, why);
}

void Dispatcher::start(AccountTask task) {
    const TaskId id = task.task.id;
    // Read it again from the ledger: its attempts and starts may have changed since it was queued.
    task.task = context_.ledger.tasks().get(id);
    waiting_.note_start(task.task);
    std::unique_ptr<Job> job;
    if (task.task.kind == TaskKind::Scan)
        job = std::make_unique<ScanJob>(context_, std::move(task));
    else if (task.task.kind == TaskKind::Restoration)
        job = std::make_unique<RestorationJob>(context_, std::move(task));
    else
        job = std::make_unique<DisinfectionJob>(context_, std::move(task));
    Job& started = *job;
    running_.emplace(id, std::move(job));
    started.start();
}

// ---- Ending --------------------------------------------------------------------------------------------------------

void Dispatcher::settle(Job& job) {
    auto& ledger = context_.ledger;
    Task task = ledger.tasks().get(job.task().id);
    if (job.end() == Job::End::Over || task.state == TaskState::Ended) return;
    const bool failed = job.end() == Job::End::Failed;
    const bool had_its_turn = job.end() == Job::End::TurnOver;
    if (!had_its_turn)
        log_line(Severity::Info,
                 "a job of " + printable(job.account().name) + " ended without finishing: " + printable(job.why()));
    ledger.tasks().requeue(task.id, failed, job.why());
    ledger.tasks().set_why(task.id, job.why());
    task = ledger.tasks().get(task.id);
    // A suspended account, or one whose files hang, delays only its own tasks, not the system scan. A schedule's scan
    // would wait for so long that the next one is due.
    const bool must_wait = job.suspended() || job.files_hang();
    const bool gives_up =
        is_overdue(context_, job.begun_running_ms()) || (must_wait && (task.of_system_scan || task.scheduled));
    if (task.attempts >= most_attempts || gives_up) {
        end_early(job.task(), job.account(), job.why());
        return;
    }
    if (job.suspended()) ledger.tasks().set_why(task.id, job.why() + "; the task goes on when that has ended");
    auto delay = failed ? std::chrono::milliseconds(delay_after_failure) * task.attempts
                        : std::chrono::milliseconds(delay_after_postponement);
    if (job.files_hang()) delay = delay_while_files_hang;
    if (job.suspended()) delay = std::chrono::seconds(context_.config.jobs.retry_seconds);
    if (had_its_turn) delay = 0ms;
    waiting_.add({task, job.account()}, Clock::now() + delay);
}

void Dispatcher::end_early(const Task& task, const AccountFacts& account, const std::string& why) {
    auto& ledger = context_.ledger;
    switch (task.kind) {
        case TaskKind::Scan:
            return endings_.begin(task.id, account.home, Outcome::EndedEarly, why);
        case TaskKind::Restoration:
            return ledger.tasks().end(task.id, Outcome::EndedEarly, why);
        case TaskKind::Disinfection:
            ledger.records().record_issue(task.id, RecordState::Error, why);
            ledger.records().record_done(task.id, RecordState::Error, "ended early: " + why, Outcome::EndedEarly);
            logs_due_ = Clock::now();
            return;
        case TaskKind::Preparation:
            return;  // it is never run
    }
}

void Dispatcher::copy_pending_logs() {
    logs_due_ = Clock::now() + std::chrono::seconds(context_.config.jobs.retry_seconds);
    for (auto& task : context_.ledger.tasks().with_pending_log(log_copies_at_once * 4)) {
        const TaskId id = task.task.id;
        if (log_copies_.size() >= log_copies_at_once) return;
        if (is_busy(task.task.account)) continue;
        // A removed account gets no runner: authd refuses one for a uid whose name has changed.
        auto job = std::make_unique<LogCopyJob>(context_, std::move(task));
        Job& started = *job;
        log_copies_.emplace(id, std::move(job));
        started.start();
    }
}

void Dispatcher::flush() {
    for (auto* jobs : {&running_, &log_copies_})
        for (const auto& [id, job] : *jobs) job->flush();
}

void Dispatcher::cancel_scan(TaskId task, const AccountFacts& account) {
    const auto running = running_.find(task);
    if (running != running_.end()) return running->second->cancel();
    waiting_.remove(task);
    endings_.begin(task, account.home, Outcome::Cancelled, "it was cancelled");
}

void Dispatcher::report(ServiceReport& report) const {
    const auto seconds = [](Clock::duration time) {
        return static_cast<std::uint64_t>(
            std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count(), 0));
    };
    for (const auto& [id, job] : running_) {
        const Task task = context_.ledger.tasks().get(id);
        if (task.kind > TaskKind::Restoration) continue;
        report.running.push_back({job->account().name, static_cast<AskedFor>(task.kind), task.scanned_files,
                                  task.total_files, seconds(job->used())});
    }
    report.waiting = waiting_.size();
    report.longest_wait_seconds = seconds(waiting_.longest_wait(Clock::now()));
}

std::string Dispatcher::current_file(TaskId task) const {
    const auto found = running_.find(task);
    return found == running_.end() ? std::string() : found->second->current_file();
}

QueuePlace Dispatcher::place_of(TaskId task) {
    const auto before = waiting_.before(task, Clock::now());
    return {before.has_value(), before.value_or(0)};
}

}  // namespace clamscanner
