// Which task runs next: that of the account which used least lately, as many as jobs.max_running at once. A job that
// has had its turn (jobs.turn_minutes) while others wait for a place is queued again, and goes on later where it was. A
// job whose own user stopped it holds no place: after jobs.stall_seconds the next one starts beside it, after
// jobs.abandon_seconds it is given up and queued again. A task whose starts came to nothing three times ends, and says
// so, so that no client polls for ever; so does one that has been at work for jobs.max_job_hours.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobs/jobd/account_book.h"
#include "jobs/jobd/job.h"
#include "jobs/jobd/use_book.h"

namespace clamscanner {

class Dispatcher {
 public:
    Dispatcher(const JobSurroundings& surroundings, AccountBook& accounts);

    // A task was queued; it starts in a later round.
    void add(AccountTask task);
    // To be called in each round, before the commit: ends what is over, starts what may run.
    void dispatch();
    // After the commit.
    void flush();

    // The account does not want that scan any more; it may wait or run.
    void cancel_scan(TaskId task);

    [[nodiscard]] std::string current_file(TaskId task) const;

    // Called in dispatch() with the uid of an account whose job is over.
    void when_free(std::function<void(uid_t)> call) { when_free_ = std::move(call); }

 private:
    struct Waiting {
        AccountTask task;
        Deadline not_before;
        bool asked = false;  // whether the account still fits
        [[nodiscard]] bool may_start(Deadline now) const { return !asked && not_before <= now; }
    };
    void tick();
    void start_some();
    void start_if_account_fits(TaskId id);
    void start(AccountTask task);
    void end_turns();
    void settle(Job& job);
    void end_failed(const Job& job);
    void copy_pending_logs();
    [[nodiscard]] std::map<TaskId, Waiting>::iterator next_in_turn();
    [[nodiscard]] bool is_busy(AccountId account) const;
    [[nodiscard]] std::size_t active() const;

    JobSurroundings surroundings_;
    AccountBook& accounts_;
    std::map<TaskId, Waiting> waiting_;
    std::map<TaskId, std::unique_ptr<Job>> running_;
    std::map<TaskId, std::unique_ptr<Job>> log_copies_;
    UseBook use_;
    std::function<void(uid_t)> when_free_ = [](uid_t) {};
    bool may_start_ = true;  // something changed since start_some() last found nothing to do
    Deadline logs_due_;
    EventLoop::Timer next_tick_;
};

}  // namespace clamscanner
