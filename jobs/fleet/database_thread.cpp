#include "jobs/fleet/database_thread.h"

#include <sys/eventfd.h>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr auto pause_between_faults = std::chrono::seconds(10);

}  // namespace

DatabaseThread::DatabaseThread(EventLoop& loop, std::string database, IfGone if_gone)
    : database_(std::move(database)),
      if_gone_(if_gone),
      finished_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an eventfd")),
      watch_(loop.watch(finished_.get(), EPOLLIN, [this](std::uint32_t) { finish(); })),
      thread_([this] { work(); }) {}

DatabaseThread::~DatabaseThread() {
    stop();
}

void DatabaseThread::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void DatabaseThread::add(Job job) {
    {
        const std::scoped_lock lock(mutex_);
        jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
}

void DatabaseThread::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        try_out(job);
        lock.lock();
        done_.push_back(std::move(job.done));
        static_cast<void>(::eventfd_write(finished_.get(), 1));
    }
}

void DatabaseThread::try_out(const Job& job) {
    const bool had_connection = postgres_ != nullptr;
    if (has_lost_connection(job) && had_connection && if_gone_ == IfGone::TryAgain)
        static_cast<void>(has_lost_connection(job));
}

// Does the work.
bool DatabaseThread::has_lost_connection(const Job& job) try {
    if (!postgres_) {
        postgres_ = std::make_unique<Postgres>(database_);
        ++connections_;
    }
    say_that_it_is_back();
    job.work(*postgres_);
    return false;
} catch (const std::exception& fault) {
    if (postgres_ && !postgres_->is_alive()) postgres_.reset();
    say(fault.what());
    return !postgres_;
}

// That there is no connection once, all else now and then: what fails is tried again each second.
void DatabaseThread::say(const std::string& fault) {
    const auto now = Clock::now();
    const bool is_known = postgres_ ? now - said_ < pause_between_faults : is_lost_;
    is_lost_ = !postgres_;
    if (is_known) return;
    said_ = now;
    log_line(Severity::Error, fault);
}

void DatabaseThread::say_that_it_is_back() {
    if (std::exchange(is_lost_, false)) log_line(Severity::Info, "the database answers again");
}

void DatabaseThread::finish() {
    eventfd_t number = 0;
    static_cast<void>(::eventfd_read(finished_.get(), &number));
    std::vector<std::function<void()>> done;
    {
        const std::scoped_lock lock(mutex_);
        done.swap(done_);
    }
    for (const auto& one : done) one();
}

}  // namespace clamscanner
