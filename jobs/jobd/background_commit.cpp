#include "jobs/jobd/background_commit.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "auth/base/checked.h"

namespace clamscanner {

BackgroundCommit::BackgroundCommit(LedgerDatabase& database)
    : database_(database),
      done_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an eventfd")),
      thread_([this] { work(); }) {}

BackgroundCommit::~BackgroundCommit() {
    {
        const std::scoped_lock lock(mutex_);
        state_ = State::Stopping;
    }
    changed_.notify_all();
    thread_.join();
}

void BackgroundCommit::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return state_ == State::Asked || state_ == State::Stopping; });
        if (state_ == State::Stopping) return;
        lock.unlock();
        std::exception_ptr fault;
        try {
            database_.commit();
        } catch (...) {
            fault = std::current_exception();
        }
        lock.lock();
        fault_ = fault;
        state_ = State::Done;
        static_cast<void>(::eventfd_write(done_.get(), 1));
        changed_.notify_all();
    }
}

void BackgroundCommit::commit(const std::function<void(int done)>& meanwhile) {
    if (!database_.has_changes()) return;
    {
        const std::scoped_lock lock(mutex_);
        state_ = State::Asked;
    }
    changed_.notify_all();
    std::exception_ptr fault;
    try {
        meanwhile(done_.get());
    } catch (...) {
        fault = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ == State::Done; });
    state_ = State::Idle;
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(done_.get(), &count));
    if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
    if (fault) std::rethrow_exception(fault);
}

}  // namespace clamscanner
