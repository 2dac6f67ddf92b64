#include "jobs/jobd/account_lookup.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/nanoseconds.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_known = 20'000;

// When /etc/passwd was last replaced or written: since then an account may have been removed and its name and uid given
// to another.
std::int64_t passwd_stamp() noexcept {
    struct stat status {};
    if (::stat("/etc/passwd", &status) != 0) return 0;
    return nanoseconds_of(status.st_ctim);
}

// All but the home's identity.
AccountLookup::Entry find_facts(uid_t uid) try {
    Account account;
    if (!find_account(uid, account)) return {};
    return {AccountFacts{uid, account.name, account.home}};
} catch (const std::exception& fault) {
    log_line(Severity::Warning, fault.what());
    return {std::nullopt, true};
}

}  // namespace

AccountLookup::AccountLookup(EventLoop& loop, std::chrono::milliseconds fresh_for)
    : fresh_for_(fresh_for),
      homes_(loop),
      answered_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an eventfd")),
      loop_(loop),
      watch_(loop.watch(
          answered_.get(), EPOLLIN, [this](std::uint32_t) { take_answers(); }, EventLoop::Served::Meanwhile)),
      thread_([this] { look_up(); }) {}

AccountLookup::~AccountLookup() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    asked_.notify_one();
    thread_.join();
}

const AccountLookup::Entry* AccountLookup::fresh(uid_t uid) const {
    const auto found = known_.find(uid);
    if (found == known_.end() || Clock::now() >= found->second.until) return nullptr;
    return found->second.passwd == passwd_stamp() ? &found->second.entry : nullptr;
}

void AccountLookup::ask(uid_t uid, Take take) {
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

void AccountLookup::look_up() {
    std::unique_lock lock(mutex_);
    for (;;) {
        asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
        if (stopping_) return;
        const uid_t uid = questions_.front();
        questions_.pop_front();
        lock.unlock();
        const auto passwd = passwd_stamp();
        Entry entry = find_facts(uid);
        lock.lock();
        answers_.emplace_back(uid, Known{std::move(entry), {}, passwd});
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(answered_.get(), &one, sizeof one);
    }
}

void AccountLookup::take_answers() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(answered_.get(), &count, sizeof count);
    std::deque<std::pair<uid_t, Known>> answers;
    {
        const std::lock_guard lock(mutex_);
        answers.swap(answers_);
    }
    for (const auto& [uid, known] : answers) {
        if (known.entry.facts)
            look_at_home(uid, known);
        else
            deliver(uid, known);
    }
}

void AccountLookup::look_at_home(uid_t uid, const Known& known) try {
    homes_.ask(known.entry.facts->home,
               [this, uid, known](const std::optional<HomeIdentity>& home) { take_home(uid, known, home); });
} catch (const std::system_error& fault) {
    log_line(Severity::Warning, fault.what());
    deliver(uid, {{std::nullopt, true}, {}, known.passwd});
}

void AccountLookup::take_home(uid_t uid, Known known, const std::optional<HomeIdentity>& home) {
    auto& facts = *known.entry.facts;
    const auto before = known_.find(uid);
    if (home) {
        // If we may not search the home's parent directories, it has none.
        facts.file_system = home->file_system;
        facts.inode = home->inode;
        facts.born_ns = home->born_ns;
        known.entry.home = home->is_missing ? Home::Missing : Home::Seen;
    } else {
        known.entry.home = Home::Hangs;
        const auto* earlier =
            before != known_.end() && before->second.passwd == known.passwd && before->second.entry.facts
                ? &*before->second.entry.facts
                : nullptr;
        if (earlier != nullptr && earlier->name == facts.name && earlier->home == facts.home) facts = *earlier;
    }
    deliver(uid, known);
}

void AccountLookup::deliver(uid_t uid, const Known& known) {
    if (known_.size() > most_known) known_.clear();
    if (!known.entry.failed) {
        known_[uid] = known;
        known_[uid].until = Clock::now() + fresh_for_;
    }
    auto waiting = waiting_.extract(uid);
    if (waiting.empty()) return;
    if (!news_) {
        for (const auto& take : waiting.mapped()) take(known.entry);
        return;
    }
    due_.push_back(
        loop_.after(std::chrono::milliseconds(0), [entry = known.entry, takes = std::move(waiting.mapped())] {
            for (const auto& take : takes) take(entry);
        }));
    news_(uid);
}

void AccountLookup::tell_only(News news) {
    news_ = std::move(news);
    std::erase_if(due_, [](const EventLoop::Timer& timer) { return !timer.is_set(); });
}

}  // namespace clamscanner
