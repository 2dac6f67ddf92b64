// Commits in a thread of its own, so that the loop need not wait for the disk. The database is that thread's until it
// has finished. Used by jobd alone.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "auth/base/unique_fd.h"
#include "jobs/jobd/ledger_database.h"

namespace clamscanner {

class BackgroundCommit {
 public:
    // Its thread inherits the signals that are blocked.
    explicit BackgroundCommit(LedgerDatabase& database);
    ~BackgroundCommit();
    BackgroundCommit(const BackgroundCommit&) = delete;
    BackgroundCommit& operator=(const BackgroundCommit&) = delete;

    // Makes every change durable before it returns. If there is any, `meanwhile` is called, with a descriptor that
    // becomes readable when that is done; it may return earlier, and must not touch the database. Throws what the
    // commit threw.
    void commit(const std::function<void(int done)>& meanwhile);

 private:
    void work();

    LedgerDatabase& database_;
    UniqueFd done_;  // an eventfd
    std::mutex mutex_;
    std::condition_variable changed_;
    enum class State { Idle, Asked, Done, Stopping } state_ = State::Idle;  // under mutex_
    std::exception_ptr fault_;                                              // under mutex_
    std::thread thread_;
};

}  // namespace clamscanner
