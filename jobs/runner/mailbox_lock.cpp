#include "jobs/runner/mailbox_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <random>
#include <string_view>
#include <thread>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

using std::chrono::steady_clock;

constexpr auto shortest_pause = std::chrono::milliseconds(20);
// Short enough to find a gap between two deliveries of a busy mail server.
constexpr auto longest_pause = std::chrono::milliseconds(500);

struct flock whole_file(short type) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;  // l_pid stays 0, as F_OFD_SETLK demands
}

bool same_file(const struct stat& one, const struct stat& other) noexcept {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool refers_to(int directory, const std::string& name, int file) noexcept {
    struct stat by_name {};
    struct stat by_descriptor {};
    return ::fstatat(directory, name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
           ::fstat(file, &by_descriptor) == 0 && same_file(by_name, by_descriptor);
}

std::string dotlock_name(const std::string& mailbox) {
    return mailbox + ".lock";
}

std::string unique_name() {
    return ".clamscanner." + random_hex(16);
}

bool is_older(const timespec& then, const timespec& now, std::chrono::seconds age) noexcept {
    return then.tv_sec < now.tv_sec - age.count();
}

bool is_alive(pid_t pid) noexcept {
    return ::kill(pid, 0) == 0 || errno != ESRCH;
}

std::string bytes_in(int dotlock) {
    std::array<char, 512> bytes{};
    const auto got = uninterrupted([&] { return ::pread(dotlock, bytes.data(), bytes.size(), 0); });
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

// The second line of our dotlocks, which says in which boot and namespace the pid is valid. Other programs read only
// the first line. Empty if that cannot be found out.
std::string own_lock_id() {
    std::string boot;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
    struct stat names {};
    if (boot.empty() || ::stat("/proc/self/ns/pid", &names) < 0) return {};
    return "clamscanner " + boot + " " + std::to_string(names.st_ino) + "\n";
}

// Whether it is a dotlock of ours whose process is gone.
bool was_left_by_us(std::string_view text) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || pid <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::string id = own_lock_id();
    return !id.empty() && text == "\n" + id && !is_alive(pid);
}

// The pid in a dotlock, if it is of this host. procmail writes "0", postfix nothing.
std::optional<pid_t> local_pid(std::string_view text) {
    if (text.empty()) return std::nullopt;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || pid <= 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    text = text.substr(0, text.find('\n'));
    if (text.starts_with(':')) {
        std::array<char, 256> host{};
        if (::gethostname(host.data(), host.size() - 1) < 0 || text.substr(1) != host.data()) return std::nullopt;
    }
    return pid;
}

// A name in a directory, removed at the end of a block.
struct TemporaryName {
    ~TemporaryName() { ::unlinkat(directory, name.c_str(), 0); }
    int directory;
    std::string name;
};

bool is_stale(int directory, const std::string& name, const struct stat& dotlock, int mailbox, const timespec& now) {
    struct stat status {};
    if (!S_ISREG(dotlock.st_mode)) return false;
    const UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    const bool is_readable = file || errno != EACCES;
    if (file && (::fstat(file.get(), &status) < 0 || !same_file(status, dotlock))) return false;
    const std::string text = file ? bytes_in(file.get()) : std::string();
    if (was_left_by_us(text)) return true;
    if (!is_older(dotlock.st_mtim, now, stale_dotlock_age)) return false;
    if (::fstat(mailbox, &status) < 0 || !is_older(status.st_mtim, now, stale_dotlock_age)) return false;
    if (!file) return !is_readable;
    const auto pid = local_pid(text);
    return !pid || !is_alive(*pid);
}

// Only clears the stale lock; every contender, ourselves included, must retry.
void remove_if_stale(int directory, const std::string& name, int mailbox, const timespec& now) {
    struct stat examined {};
    if (::fstatat(directory, name.c_str(), &examined, AT_SYMLINK_NOFOLLOW) < 0) return;
    if (!is_stale(directory, name, examined, mailbox, now)) return;
    // It is not unlinked by its name: since we examined it, its owner may have touched it, or another program may have
    // replaced it with a fresh one.
    const TemporaryName aside{directory, unique_name()};
    if (::renameat(directory, name.c_str(), directory, aside.name.c_str()) < 0) return;
    struct stat moved {};
    if (::fstatat(directory, aside.name.c_str(), &moved, AT_SYMLINK_NOFOLLOW) == 0 && same_file(moved, examined) &&
        moved.st_mtim.tv_sec == examined.st_mtim.tv_sec && moved.st_mtim.tv_nsec == examined.st_mtim.tv_nsec)
        return;
    [[maybe_unused]] const int linked = ::linkat(directory, aside.name.c_str(), directory, name.c_str(), 0);
}

}  // namespace

// Tries again and again until the lock is taken, refused or timed out.
class MailboxLocking {
 public:
    MailboxLocking(int directory, const std::string& name) : directory_(directory), name_(name) {}

    [[nodiscard]] MailboxLockResult until(steady_clock::time_point deadline) {
        if (name_.empty() || name_ == "." || name_ == ".." || name_.find('/') != std::string::npos)
            refuse("lock a mailbox with an invalid name", EINVAL);
        std::minstd_rand random(std::random_device{}());
        for (auto pause = shortest_pause;; pause = std::min(pause * 2, longest_pause)) {
            if (result_.verdict == MailboxLockVerdict::TimedOut) try_once();
            const auto left = deadline - steady_clock::now();
            if (result_.verdict != MailboxLockVerdict::TimedOut || left <= steady_clock::duration::zero())
                return std::move(result_);
            // Random, to get out of step with a program that began to wait at the same moment.
            std::uniform_int_distribution<std::int64_t> random_pause(pause.count() / 2, pause.count());
            std::this_thread::sleep_for(
                std::min<steady_clock::duration>(std::chrono::milliseconds(random_pause(random)), left));
        }
    }

 private:
    // Sets result_ if the outcome is final; otherwise everything it took is released on return.
    void try_once() {
        UniqueFd directory(checked(::fcntl(directory_, F_DUPFD_CLOEXEC, 3), "keep a mailbox's directory"));
        // Opened again each time: the previous holder of the lock may have replaced the mailbox.
        const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        UniqueFd file(uninterrupted([&] { return ::openat(directory_, name_.c_str(), flags); }));
        struct stat status {};
        if (!file || ::fstat(file.get(), &status) < 0) return refuse("open the mailbox");
        if (!S_ISREG(status.st_mode)) return refuse("lock a mailbox that is no regular file", EINVAL);

        struct flock lock = whole_file(F_WRLCK);
        if (uninterrupted([&] { return ::fcntl(file.get(), F_OFD_SETLK, &lock); }) < 0) {
            if (errno != EAGAIN && errno != EACCES) refuse("lock the mailbox by fcntl()");
            return;
        }
        UniqueFd dotlock = make_dotlock(file.get());
        if (!dotlock) return;
        MailboxLock both(std::move(directory), name_, std::move(file), std::move(dotlock));
        if (!both.still_named()) return;
        result_.lock.emplace(std::move(both));
        result_.verdict = MailboxLockVerdict::Locked;
    }

    [[nodiscard]] UniqueFd make_dotlock(int mailbox) {
        const std::string name = dotlock_name(name_);
        const TemporaryName fresh{directory_, unique_name()};
        UniqueFd file(
            ::openat(directory_, fresh.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
        // The pid, as liblockfile writes and reads it. dovecot reads only "pid:host" and tests that pid with kill(),
        // which gives wrong answers between containers; so it should go by the time, which touch() keeps recent.
        const std::string pid = std::to_string(::getpid()) + "\n" + own_lock_id();
        struct stat status {};
        errno = file ? EIO : errno;  // for a short write
        if (!file || ::fchmod(file.get(), 0444) < 0 || !write_all(file.get(), pid) ||
            ::fstat(file.get(), &status) < 0) {
            refuse("make a file beside the mailbox");
            return {};
        }
        if (::linkat(directory_, fresh.name.c_str(), directory_, name.c_str(), 0) == 0) return file;
        const int error = errno;
        // If an NFS server's answer is lost, the client repeats the call and finds the name taken by its own first try.
        struct stat linked {};
        if (::fstat(file.get(), &linked) == 0 && linked.st_nlink == 2) return file;
        if (error == EEXIST)
            remove_if_stale(directory_, name, mailbox, status.st_mtim);
        else
            refuse("make the mailbox's lock file", error);
        return {};
    }

    void refuse(const char* attempted, int error = errno) {
        result_.verdict = MailboxLockVerdict::Impossible;
        result_.error = error;
        result_.attempted = attempted;
    }

    int directory_;
    std::string name_;
    MailboxLockResult result_;
};

MailboxLockResult MailboxLock::take(int directory, const std::string& name, steady_clock::time_point deadline) {
    return MailboxLocking(directory, name).until(deadline);
}

MailboxLock::MailboxLock(UniqueFd directory, const std::string& name, UniqueFd file, UniqueFd dotlock)
    : directory_(std::move(directory)),
      name_(name),
      dotlock_name_(dotlock_name(name)),
      file_(std::move(file)),
      dotlock_(std::move(dotlock)) {}

MailboxLock::~MailboxLock() {
    if (!file_) return;  // moved from
    if (dotlock_is_ours()) ::unlinkat(directory_.get(), dotlock_name_.c_str(), 0);
    // Explicitly, because close() does not release the lock while a copy of the descriptor is open.
    struct flock nothing = whole_file(F_UNLCK);
    ::fcntl(file_.get(), F_OFD_SETLK, &nothing);
}

bool MailboxLock::still_named() const noexcept {
    return refers_to(directory_.get(), name_, file_.get());
}

bool MailboxLock::dotlock_is_ours() const noexcept {
    return refers_to(directory_.get(), dotlock_name_, dotlock_.get());
}

bool MailboxLock::touch() noexcept {
    return ::futimens(dotlock_.get(), nullptr) == 0 && dotlock_is_ours();
}

}  // namespace clamscanner
