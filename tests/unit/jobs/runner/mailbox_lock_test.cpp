// Other mail programs are simulated by processes that lock as they do; where the real tools are installed, they are
// used, too.
#include "jobs/runner/mailbox_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto soon = 50ms;  // for locks that are not free
constexpr auto long_enough = 20s;

// A process that does one thing; its exit status is 0 if that succeeded.
class OtherProcess {
 public:
    explicit OtherProcess(const std::function<bool()>& deed) : pid_(checked(::fork(), "start another process")) {
        if (pid_ == 0) ::_exit(deed() ? 0 : 1);
    }
    OtherProcess(const OtherProcess&) = delete;
    OtherProcess& operator=(const OtherProcess&) = delete;
    ~OtherProcess() {
        if (pid_ < 0) return;
        ::kill(pid_, SIGKILL);
        static_cast<void>(went_well());
    }
    [[nodiscard]] bool went_well() {
        int status = 0;
        uninterrupted([&] { return ::waitpid(pid_, &status, 0); });
        pid_ = -1;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }

 private:
    pid_t pid_;
};

bool fcntl_lock(int file, int how = F_SETLK) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return ::fcntl(file, how, &lock) == 0;
}

bool eventually(const std::function<bool()>& holds) {
    for (const auto deadline = steady_clock::now() + long_enough; steady_clock::now() < deadline;) {
        if (holds()) return true;
        std::this_thread::sleep_for(2ms);
    }
    return false;
}

struct MailDirectory {
    MailDirectory() { directory.write("mbox", "From alice@example.org Sat Jan  3 01:05:34 1996\n\n"); }

    MailboxLockResult take(std::chrono::milliseconds patience = long_enough, const std::string& name = "mbox") const {
        return MailboxLock::take(directory.fd.get(), name, steady_clock::now() + patience);
    }
    UniqueFd open_mailbox() const { return UniqueFd(::open((directory.path + "/mbox").c_str(), O_RDWR | O_CLOEXEC)); }
    // As postfix and dovecot create it: with O_EXCL.
    bool make_dotlock(const std::string& content = "") const {
        const UniqueFd file(::openat(directory.fd.get(), "mbox.lock", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        return file && ::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
    }
    bool remove_dotlock() const { return ::unlinkat(directory.fd.get(), "mbox.lock", 0) == 0; }
    void age(const std::string& name, std::chrono::seconds seconds) const {
        timespec then{::time(nullptr) - seconds.count(), 0};
        const timespec times[2] = {then, then};
        checked(::utimensat(directory.fd.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW), "make a file look old");
    }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(directory.path))
            all.push_back(entry.path().filename());
        std::sort(all.begin(), all.end());
        return all;
    }
    bool fcntl_lock_is_free() const {
        OtherProcess other([&] { return fcntl_lock(open_mailbox().get()); });
        return other.went_well();
    }
    TemporaryDirectory directory;
};

bool is(const MailboxLockResult& result, MailboxLockVerdict verdict) {
    return result.verdict == verdict && result.lock.has_value() == (verdict == MailboxLockVerdict::Locked);
}

using Names = std::vector<std::string>;

BOOST_FIXTURE_TEST_SUITE(mailbox_lock, MailDirectory)

BOOST_AUTO_TEST_CASE(both_locks_are_taken_and_released) {
    {
        const auto result = take();
        BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
        BOOST_TEST(result.lock->still_named());
        BOOST_TEST((names() == Names{"mbox", "mbox.lock"}));
        BOOST_TEST(directory.read("mbox.lock").starts_with(std::to_string(::getpid()) + "\nclamscanner "));
        struct stat status {};
        BOOST_REQUIRE(::stat((directory.path + "/mbox.lock").c_str(), &status) == 0);
        BOOST_TEST((status.st_mode & 07777) == 0444U);
        BOOST_TEST(status.st_nlink == 1U);
        BOOST_TEST(!fcntl_lock_is_free());
        char start[5] = {};
        BOOST_TEST(::pread(result.lock->file(), start, sizeof start, 0) == 5);
        BOOST_TEST(std::string(start, sizeof start) == "From ");
    }
    BOOST_TEST((names() == Names{"mbox"}));
    BOOST_TEST(fcntl_lock_is_free());
}

BOOST_AUTO_TEST_CASE(it_waits_for_the_lock_of_another_process) {
    for (const int how : {F_SETLK, F_OFD_SETLK}) {
        int ready[2] = {};
        BOOST_REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
        const UniqueFd reading(ready[0]);
        UniqueFd writing(ready[1]);
        OtherProcess other([&] {
            const UniqueFd mailbox = open_mailbox();
            if (!fcntl_lock(mailbox.get(), how) || ::write(writing.get(), "x", 1) != 1) return false;
            ::pause();
            return true;
        });
        writing.reset();
        char byte = 0;
        BOOST_REQUIRE(::read(reading.get(), &byte, 1) == 1);
        const auto before = steady_clock::now();
        BOOST_TEST(is(take(soon), MailboxLockVerdict::TimedOut));
        BOOST_TEST((steady_clock::now() - before >= soon));
        BOOST_TEST((names() == Names{"mbox"}));
    }
    BOOST_TEST(is(take(), MailboxLockVerdict::Locked));
}

BOOST_AUTO_TEST_CASE(closing_another_descriptor_of_the_mailbox_does_not_unlock_it) {
    const auto result = take();
    BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
    open_mailbox().reset();
    BOOST_TEST(!fcntl_lock_is_free());
}

BOOST_AUTO_TEST_CASE(a_copied_descriptor_does_not_keep_the_lock) {
    UniqueFd copy;
    {
        const auto result = take();
        BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
        copy.reset(::fcntl(result.lock->file(), F_DUPFD_CLOEXEC, 3));
    }
    BOOST_TEST(fcntl_lock_is_free());
}

BOOST_AUTO_TEST_CASE(two_locks_of_one_process_keep_each_other_out) {
    auto result = take();
    BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
    BOOST_TEST(is(take(soon), MailboxLockVerdict::TimedOut));
    BOOST_TEST(result.lock->touch());
    result.lock.reset();
    BOOST_TEST(is(take(), MailboxLockVerdict::Locked));
}

BOOST_AUTO_TEST_CASE(it_waits_for_another_programs_dotlock_and_leaves_it_alone) {
    BOOST_REQUIRE(make_dotlock("0"));
    BOOST_TEST(is(take(soon), MailboxLockVerdict::TimedOut));
    BOOST_TEST((names() == Names{"mbox", "mbox.lock"}));
    BOOST_TEST(directory.read("mbox.lock") == "0");
    BOOST_TEST(fcntl_lock_is_free());
}

BOOST_AUTO_TEST_CASE(the_fcntl_lock_is_free_while_it_waits_for_the_dotlock) {
    BOOST_REQUIRE(make_dotlock());
    OtherProcess other(
        [&] { return eventually([&] { return fcntl_lock(open_mailbox().get()); }) && remove_dotlock(); });
    BOOST_TEST(is(take(), MailboxLockVerdict::Locked));
    BOOST_TEST(other.went_well());
}

BOOST_AUTO_TEST_CASE(programs_with_the_other_locking_order_cause_no_deadlock) {
    std::vector<std::unique_ptr<OtherProcess>> others;
    for (int i = 0; i < 2; ++i)
        others.push_back(std::make_unique<OtherProcess>([&] {
            for (int times = 0; times < 20; ++times) {
                if (!eventually([&] { return make_dotlock(); })) return false;
                const UniqueFd mailbox = open_mailbox();
                if (!fcntl_lock(mailbox.get(), F_SETLKW) || !remove_dotlock()) return false;
            }
            return true;
        }));
    for (int times = 0; times < 5; ++times) BOOST_TEST(is(take(), MailboxLockVerdict::Locked));
    for (const auto& other : others) BOOST_TEST(other->went_well());
}

BOOST_AUTO_TEST_CASE(no_increment_under_the_lock_is_lost) {
    directory.write("mbox", "0");
    constexpr int processes = 3;
    constexpr int times = 15;
    std::vector<std::unique_ptr<OtherProcess>> others;
    for (int i = 0; i < processes; ++i)
        others.push_back(std::make_unique<OtherProcess>([&] {
            for (int n = 0; n < times; ++n) {
                const auto result = take();
                if (!is(result, MailboxLockVerdict::Locked)) return false;
                char text[16] = {};
                if (::pread(result.lock->file(), text, sizeof text - 1, 0) <= 0) return false;
                const std::string next = std::to_string(std::stoi(text) + 1);
                if (::pwrite(result.lock->file(), next.data(), next.size(), 0) <= 0) return false;
            }
            return true;
        }));
    for (const auto& other : others) BOOST_TEST(other->went_well());
    BOOST_TEST(directory.read("mbox") == std::to_string(processes * times));
    BOOST_TEST((names() == Names{"mbox"}));
}

BOOST_AUTO_TEST_CASE(a_mailbox_replaced_during_the_wait_is_the_one_locked) {
    BOOST_REQUIRE(make_dotlock());
    OtherProcess other([&] {
        std::this_thread::sleep_for(soon);
        directory.write("fresh", "From bob@example.org Sat Jan  3 01:05:34 1996\n\n");
        std::filesystem::rename(directory.path + "/fresh", directory.path + "/mbox");
        return remove_dotlock();
    });
    const auto result = take();
    BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
    BOOST_TEST(result.lock->still_named());
    char start[8] = {};
    BOOST_TEST(::pread(result.lock->file(), start, sizeof start, 0) == 8);
    BOOST_TEST(std::string(start, sizeof start) == "From bob");
}

BOOST_AUTO_TEST_CASE(a_locked_mailbox_notices_that_it_was_renamed_or_replaced) {
    const auto result = take();
    BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
    const std::filesystem::path mailbox = directory.path + "/mbox";
    std::filesystem::rename(mailbox, directory.path + "/away");
    BOOST_TEST(!result.lock->still_named());
    directory.write("mbox", "another");
    BOOST_TEST(!result.lock->still_named());
    std::filesystem::remove(mailbox);
    std::filesystem::create_symlink("away", mailbox);
    BOOST_TEST(!result.lock->still_named());
    std::filesystem::rename(directory.path + "/away", mailbox);
    BOOST_TEST(result.lock->still_named());
}

BOOST_AUTO_TEST_CASE(each_reason_for_not_locking_is_reported) {
    const auto error_of = [&](const std::string& name) {
        const auto result = take(long_enough, name);
        BOOST_TEST(is(result, MailboxLockVerdict::Impossible), name);
        BOOST_TEST(std::string(result.attempted) != "");
        return result.error;
    };
    std::filesystem::create_symlink("mbox", directory.path + "/link");
    std::filesystem::create_directory(directory.path + "/directory");
    BOOST_REQUIRE(::mkfifoat(directory.fd.get(), "fifo", 0600) == 0);
    const std::string long_name(252, 'm');
    directory.write(long_name, "");
    const Names before = names();
    BOOST_TEST(error_of("none") == ENOENT);
    BOOST_TEST(error_of("link") == ELOOP);
    BOOST_TEST(error_of("directory") == EISDIR);
    BOOST_TEST(error_of("fifo") == EINVAL);
    BOOST_TEST(error_of(long_name) == ENAMETOOLONG);
    for (const char* name : {"", ".", "..", "directory/mbox", "/mbox"}) BOOST_TEST(error_of(name) == EINVAL);
    BOOST_TEST((names() == before));
    BOOST_CHECK_THROW(static_cast<void>(MailboxLock::take(-1, "mbox", steady_clock::now())), std::system_error);
}

// As in /var/mail, where only programs of a certain group may create files.
BOOST_AUTO_TEST_CASE(an_unwritable_directory_is_refused) {
    std::filesystem::permissions(directory.path, std::filesystem::perms{0555});
    std::filesystem::permissions(directory.path + "/mbox", std::filesystem::perms{0666});
    OtherProcess other([&] {
        constexpr uid_t nobody = 65534;
        if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) < 0) return false;
        const auto result = take();
        return is(result, MailboxLockVerdict::Impossible) && result.error == EACCES;
    });
    BOOST_TEST(other.went_well());
    std::filesystem::permissions(directory.path, std::filesystem::perms{0755});
    BOOST_TEST(fcntl_lock_is_free());
}

BOOST_AUTO_TEST_CASE(an_unwritable_mailbox_is_refused) {
    std::filesystem::permissions(directory.path, std::filesystem::perms{0777});
    std::filesystem::permissions(directory.path + "/mbox", std::filesystem::perms{0444});
    OtherProcess other([&] {
        constexpr uid_t nobody = 65534;
        if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) < 0) return false;
        const auto result = take();
        return is(result, MailboxLockVerdict::Impossible) && result.error == EACCES;
    });
    BOOST_TEST(other.went_well());
    BOOST_TEST((names() == Names{"mbox"}));
}

BOOST_AUTO_TEST_SUITE_END()

struct StaleDotlock : MailDirectory {
    StaleDotlock() { age("mbox", 1h); }
    // An unused pid: of a process that has been reaped.
    static std::string dead_pid() {
        OtherProcess other([] { return true; });
        const std::string pid = std::to_string(other.pid());
        static_cast<void>(other.went_well());
        return pid;
    }
    static std::string host() {
        char name[256] = {};
        checked(::gethostname(name, sizeof name - 1), "ask for the host's name");
        return name;
    }
    void put_dotlock(const std::string& content, std::chrono::seconds old) const {
        static_cast<void>(remove_dotlock());
        BOOST_REQUIRE(make_dotlock(content));
        age("mbox.lock", old);
    }
    bool is_removed(const std::string& content, std::chrono::seconds old = 301s) const {
        put_dotlock(content, old);
        const auto result = take();
        return is(result, MailboxLockVerdict::Locked) &&
               directory.read("mbox.lock").starts_with(std::to_string(::getpid()) + "\n");
    }
    bool is_kept(const std::string& content, std::chrono::seconds old = 301s) const {
        put_dotlock(content, old);
        return is(take(soon), MailboxLockVerdict::TimedOut) && directory.read("mbox.lock") == content;
    }
};

BOOST_FIXTURE_TEST_SUITE(stale_dotlocks, StaleDotlock)

BOOST_AUTO_TEST_CASE(an_old_one_without_a_live_process_is_removed) {
    BOOST_TEST(is_removed(""));
    BOOST_TEST(is_removed("0"));
    BOOST_TEST(is_removed("no pid"));
    BOOST_TEST(is_removed(dead_pid()));
    BOOST_TEST(is_removed(dead_pid() + "\n"));
    BOOST_TEST(is_removed(dead_pid() + ":" + host()));
    BOOST_TEST(is_removed("1:another.host"));
    BOOST_TEST((names() == Names{"mbox"}));
}

BOOST_AUTO_TEST_CASE(a_recent_one_is_kept) {
    BOOST_TEST(is_kept("", 0s));
    BOOST_TEST(is_kept(dead_pid() + "\n", 290s));
    BOOST_TEST(is_kept("", -1h));
}

BOOST_AUTO_TEST_CASE(a_recent_one_that_we_left_is_removed_but_not_one_that_we_hold) {
    OtherProcess other([this] {
        static_cast<void>(new MailboxLock(std::move(*take().lock)));  // never given back
        return true;
    });
    BOOST_TEST(other.went_well());
    const std::string left = directory.read("mbox.lock");
    BOOST_TEST(is_removed(left, 0s));
    const auto mark = left.substr(left.find('\n'));
    BOOST_TEST(is_kept(std::to_string(::getppid()) + mark, 0s));
    // From before the last boot: only its age counts.
    BOOST_TEST(is_kept(dead_pid() + "\nclamscanner 11111111-1111-1111-1111-111111111111 1\n", 0s));
    BOOST_TEST(is_removed(dead_pid() + "\nclamscanner 11111111-1111-1111-1111-111111111111 1\n"));
}

BOOST_AUTO_TEST_CASE(one_of_a_live_process_is_kept) {
    BOOST_TEST(is_kept(std::to_string(::getpid()), 24h));
    BOOST_TEST(is_kept(std::to_string(::getppid()) + "\n", 24h));
    BOOST_TEST(is_kept("1\n", 24h));  // may be signalled only by root
    BOOST_TEST(is_kept("1:" + host(), 24h));
    BOOST_TEST(is_kept("1:" + host() + "\n", 24h));
}

BOOST_AUTO_TEST_CASE(one_of_a_recently_written_mailbox_is_kept) {
    age("mbox", 290s);
    BOOST_TEST(is_kept(""));
}

BOOST_AUTO_TEST_CASE(one_whose_owner_holds_the_fcntl_lock_is_kept) {
    const UniqueFd mailbox = open_mailbox();
    BOOST_REQUIRE(fcntl_lock(mailbox.get(), F_OFD_SETLK));
    BOOST_TEST(is_kept(""));
}

BOOST_AUTO_TEST_CASE(one_that_is_no_regular_file_is_kept) {
    std::filesystem::create_symlink("nowhere", directory.path + "/mbox.lock");
    age("mbox.lock", 1h);
    BOOST_TEST(is(take(soon), MailboxLockVerdict::TimedOut));
    BOOST_REQUIRE(remove_dotlock());
    std::filesystem::create_directory(directory.path + "/mbox.lock");
    age("mbox.lock", 1h);
    BOOST_TEST(is(take(soon), MailboxLockVerdict::TimedOut));
    BOOST_TEST((names() == Names{"mbox", "mbox.lock"}));
}

BOOST_AUTO_TEST_CASE(touch_keeps_ours_fresh) {
    auto result = take();
    BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
    age("mbox.lock", 1h);
    BOOST_TEST(result.lock->touch());
    struct stat status {};
    BOOST_REQUIRE(::stat((directory.path + "/mbox.lock").c_str(), &status) == 0);
    BOOST_TEST(status.st_mtime > ::time(nullptr) - 60);
}

BOOST_AUTO_TEST_CASE(if_ours_was_replaced_that_is_reported_and_it_is_kept) {
    {
        auto result = take();
        BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
        BOOST_REQUIRE(remove_dotlock());
        BOOST_TEST(!result.lock->touch());
        BOOST_REQUIRE(make_dotlock("theirs"));
        BOOST_TEST(!result.lock->touch());
    }
    BOOST_TEST(directory.read("mbox.lock") == "theirs");
}

BOOST_AUTO_TEST_SUITE_END()

// The tools with which scripts lock mailboxes. They use only the dotlock.
struct RealTool : StaleDotlock {
    // The exit status of a tool that was given a file; 0 is success.
    bool run(std::vector<std::string> words) const {
        words.push_back(directory.path + "/mbox.lock");
        OtherProcess other([&] {
            std::vector<char*> arguments;
            for (auto& word : words) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            ::execvp(arguments[0], arguments.data());
            return false;
        });
        return other.went_well();
    }
    static bool installed(const char* program) {
        if (::access((std::string("/usr/bin/") + program).c_str(), X_OK) == 0) return true;
        BOOST_TEST_MESSAGE("skipped: " << program << " is not installed");
        return false;
    }
    void keep_each_other_out(const std::vector<std::string>& lock_once, const std::vector<std::string>& unlock) const {
        BOOST_REQUIRE(run(lock_once));
        BOOST_TEST(is(take(soon), MailboxLockVerdict::TimedOut));
        BOOST_REQUIRE(run(unlock));
        {
            const auto result = take();
            BOOST_REQUIRE(is(result, MailboxLockVerdict::Locked));
            BOOST_TEST(!run(lock_once));
        }
        BOOST_TEST(run(lock_once));
    }
};

BOOST_FIXTURE_TEST_SUITE(real_tools, RealTool)

BOOST_AUTO_TEST_CASE(procmails_lockfile_and_we_keep_each_other_out) {
    if (installed("lockfile")) keep_each_other_out({"lockfile", "-r0"}, {"rm", "-f"});
}

BOOST_AUTO_TEST_CASE(dotlockfile_and_we_keep_each_other_out) {
    if (installed("dotlockfile")) keep_each_other_out({"dotlockfile", "-r", "0", "-p"}, {"dotlockfile", "-u"});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
