#include "jobs/account_book.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstring>

#include "auth/become_user.h"
#include "auth/checked.h"
#include "auth/log.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_known = 20'000;

AccountBook::Entry find_facts(uid_t uid) {
    Account account;
    try {
        if (!find_account(uid, account)) return {};
    } catch (const std::exception& fault) {
        log_line(Severity::Warning, fault.what());
        return {std::nullopt, true};
    }
    AccountFacts facts{uid, account.name, account.home, 0, 0, 0};
    // Where the home's parents cannot be searched by us, the facts have to do without it.
    struct statfs file_system {};
    struct statx home {};
    if (::statx(AT_FDCWD, account.home.c_str(), AT_STATX_SYNC_AS_STAT, STATX_INO | STATX_BTIME, &home) == 0 &&
        ::statfs(account.home.c_str(), &file_system) == 0) {
        static_assert(sizeof file_system.f_fsid == sizeof facts.file_system);
        std::memcpy(&facts.file_system, &file_system.f_fsid, sizeof facts.file_system);
        facts.inode = home.stx_ino;
        if ((home.stx_mask & STATX_BTIME) != 0)
            facts.born_ns = static_cast<std::int64_t>(home.stx_btime.tv_sec) * 1'000'000'000 + home.stx_btime.tv_nsec;
    }
    return {facts, false};
}

}  // namespace

AccountBook::AccountBook(EventLoop& loop, std::chrono::milliseconds fresh_for)
    : loop_(loop),
      fresh_for_(fresh_for),
      answered_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an eventfd")),
      thread_([this] { look_up(); }) {
    loop_.watch(answered_.get(), EPOLLIN, [this](std::uint32_t) { deliver(); });
}

AccountBook::~AccountBook() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    asked_.notify_one();
    thread_.join();
    loop_.forget(answered_.get());
}

const AccountBook::Entry* AccountBook::fresh(uid_t uid) const {
    const auto found = known_.find(uid);
    return found != known_.end() && Clock::now() < found->second.until ? &found->second.entry : nullptr;
}

void AccountBook::ask(uid_t uid, Take take) {
    if (const Entry* entry = fresh(uid)) {
        const Entry copy = *entry;
        take(copy);
        return;
    }
    auto& waiting = waiting_[uid];
    waiting.push_back(std::move(take));
    if (waiting.size() > 1) return;
    {
        const std::lock_guard lock(mutex_);
        questions_.push_back(uid);
    }
    asked_.notify_one();
}

void AccountBook::look_up() {
    std::unique_lock lock(mutex_);
    for (;;) {
        asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
        if (stopping_) return;
        const uid_t uid = questions_.front();
        questions_.pop_front();
        lock.unlock();
        Entry entry = find_facts(uid);
        lock.lock();
        answers_.emplace_back(uid, std::move(entry));
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(answered_.get(), &one, sizeof one);
    }
}

void AccountBook::deliver() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(answered_.get(), &count, sizeof count);
    std::deque<std::pair<uid_t, Entry>> answers;
    {
        const std::lock_guard lock(mutex_);
        answers.swap(answers_);
    }
    if (known_.size() > most_known) known_.clear();
    for (auto& [uid, entry] : answers) {
        if (!entry.failed) known_[uid] = {entry, Clock::now() + fresh_for_};
        auto waiting = waiting_.extract(uid);
        if (waiting.empty()) continue;
        for (const auto& take : waiting.mapped()) take(entry);
    }
}

}  // namespace clamscanner
