// Starts the tasks that wait, in their order (waiting_tasks.h), with at most jobs.max_running at once. A job that has
// had its turn (jobs.turn_minutes) while others wait for a slot is queued again, and resumes later. A job stopped by
// its own user holds no slot: after jobs.stall_seconds the next job starts beside it, and after jobs.abandon_seconds it
// is given up and queued again. A job whose files do not answer, as authd or the engine says, waits until they do. A
// task ends with an error after three starts that made no progress, or after jobs.max_job_hours, so that no client
// polls for ever.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/job.h"
#include "jobs/jobd/scan_endings.h"
#include "jobs/jobd/waiting_tasks.h"

namespace clamscanner {

class Dispatcher {
 public:
    Dispatcher(const JobContext& context, AccountLookup& accounts);

    // A task was queued; it starts in a later round.
    void add(AccountTask task);
    // Call it in each round, before the commit: it removes ended jobs and starts the next ones.
    void dispatch();
    // Sends the jobs' packets. Call it after the commit.
    void flush();

    // Cancels the account's scan, whether it waits or runs.
    void cancel_scan(TaskId task, const AccountFacts& account);

    [[nodiscard]] std::string current_file(TaskId task) const;
    // Where the task stands among those that wait. It may be told to its owner: a number says nothing of other
    // accounts.
    [[nodiscard]] QueuePlace place_of(TaskId task);
    // What runs and what waits.
    void report(ServiceReport& report) const;

    // `call` is called in dispatch() with the uid of each account whose job is over, and by tell_free().
    void when_free(std::function<void(uid_t)> call) { when_free_.push_back(std::move(call)); }
    // What kept the account busy was no job, and is over.
    void tell_free(uid_t uid) const {
        for (const auto& call : when_free_) call(uid);
    }

 private:
    void tick();
    void start_tasks();
    void start_if_account_fits(TaskId id);
    void postpone(TaskId id, const AccountLookup::Entry& entry);
    void start(AccountTask task);
    void end_turns();
    void settle(Job& job);
    void end_early(const Task& task, const AccountFacts& account, const std::string& why);
    void copy_pending_logs();
    [[nodiscard]] bool is_busy(AccountId account) const;
    [[nodiscard]] std::size_t active() const;

    JobContext context_;
    AccountLookup& accounts_;
    WaitingTasks waiting_;
    std::map<TaskId, std::unique_ptr<Job>> running_;
    std::map<TaskId, std::unique_ptr<Job>> log_copies_;
    ScanEndings endings_;
    std::vector<std::function<void(uid_t)>> when_free_;
    bool recheck_ = true;  // something may have changed since start_tasks() was last called
    Deadline logs_due_;
    EventLoop::Timer next_tick_;
};

}  // namespace clamscanner
