// Small hostile programs. Each is first run unconfined, to show that it works, and then inside the sandbox.
#include "jobs/engine/worker/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <functional>

#include "jobs/engine/worker/own_tmpfs.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

enum class Fate { Did, Refused, Killed };

std::ostream& operator<<(std::ostream& out, Fate fate) {
    static constexpr const char* words[] = {"did", "refused", "killed"};
    return out << words[static_cast<int>(fate)];
}

struct Room {
    TemporaryDirectory inside;
    TemporaryDirectory outside;
    SandboxLimits limits{256 * 1024 * 1024, 1024 * 1024, 4 * 1024 * 1024};

    // `attempt` says whether it got what it wanted.
    Fate fate_of(const std::function<bool()>& attempt, bool locked) const {
        const pid_t pid = checked(::fork(), "fork a hostile program");
        if (pid == 0) {
            try {
                if (locked) enter_sandbox(inside.path, limits);
            } catch (const std::exception& fault) {
                ::_exit(99);
            }
            ::_exit(attempt() ? 0 : 1);
        }
        int status = 0;
        checked(::waitpid(pid, &status, 0), "wait for a hostile program");
        BOOST_REQUIRE(!(WIFEXITED(status) && WEXITSTATUS(status) == 99));
        if (WIFSIGNALED(status)) return Fate::Killed;
        return WEXITSTATUS(status) == 0 ? Fate::Did : Fate::Refused;
    }
    void is_stopped(Fate how, const std::function<bool()>& attempt) const {
        BOOST_TEST(fate_of(attempt, false) == Fate::Did);
        BOOST_TEST(fate_of(attempt, true) == how);
    }
};

// A process of the same user that waits to be attacked.
class Sibling {
 public:
    Sibling() : pid_(checked(::fork(), "fork a sibling")) {
        while (pid_ == 0) ::pause();
    }
    ~Sibling() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Sibling(const Sibling&) = delete;
    Sibling& operator=(const Sibling&) = delete;
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
    pid_t pid_;
};

// What a test needs; without it the test is skipped, and the report says so.
boost::test_tools::assertion_result with_landlock(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result there(landlock_version() > 0);
    there.message() << "this kernel has no Landlock";
    return there;
}
boost::test_tools::assertion_result with_user_namespaces(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result there(own_tmpfs_works("/tmp"));
    there.message() << "user namespaces are not allowed here";
    return there;
}
boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result root(::geteuid() == 0);
    root.message() << "outside the room it needs root too";
    return root;
}

bool opens(const std::string& file, int flags) {
    return ::open(file.c_str(), flags | O_CLOEXEC, 0600) >= 0;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(the_sandbox, Room)

BOOST_AUTO_TEST_CASE(allows_what_a_scan_needs) {
    const auto works = [this] {
        const auto directory = inside.path + "/deeper";
        const auto file = directory + "/file";
        if (::mkdir(directory.c_str(), 0700) != 0) return false;
        const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        char back[4] = {};
        const bool kept = ::write(fd, "text", 4) == 4 && ::pread(fd, back, 4, 0) == 4 && back[3] == 't';
        void* memory = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return kept && memory != MAP_FAILED && std::filesystem::directory_iterator(directory)->path() == file &&
               ::unlink(file.c_str()) == 0 && ::rmdir(directory.c_str()) == 0;
    };
    BOOST_TEST(fate_of(works, true) == Fate::Did);
}

BOOST_AUTO_TEST_CASE(opens_a_socket) {
    is_stopped(Fate::Killed, [] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; });
    is_stopped(Fate::Killed, [] { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0; });
}

BOOST_AUTO_TEST_CASE(writes_outside, *boost::unit_test::precondition(with_landlock)) {
    outside.write("there", "");
    is_stopped(Fate::Refused, [&] { return opens(outside.path + "/new", O_WRONLY | O_CREAT | O_TRUNC); });
    is_stopped(Fate::Refused, [&] { return opens(outside.path + "/there", O_WRONLY); });
    is_stopped(Fate::Refused, [&] {
        ::unlink((outside.path + "/moved").c_str());
        return opens(inside.path + "/mine", O_WRONLY | O_CREAT) &&
               ::rename((inside.path + "/mine").c_str(), (outside.path + "/moved").c_str()) == 0;
    });
}

BOOST_AUTO_TEST_CASE(reads_outside, *boost::unit_test::precondition(with_landlock)) {
    is_stopped(Fate::Refused, [] { return opens("/etc/passwd", O_RDONLY); });
    is_stopped(Fate::Refused, [&] { return opens(inside.path + "/../../etc/passwd", O_RDONLY); });
    is_stopped(Fate::Refused, [&] { return opens(outside.path, O_RDONLY | O_DIRECTORY); });
}

BOOST_AUTO_TEST_CASE(execs_a_shell) {
    is_stopped(Fate::Killed, [] {
        ::execl("/bin/sh", "sh", "-c", "exit 0", nullptr);
        return false;
    });
}

BOOST_AUTO_TEST_CASE(forks_forever) {
    is_stopped(Fate::Refused, [] {
        const pid_t pid = ::fork();
        if (pid == 0) ::_exit(0);
        return pid > 0;
    });
}

BOOST_AUTO_TEST_CASE(ptraces_a_sibling) {
    const Sibling sibling;
    is_stopped(Fate::Killed, [&] { return ::ptrace(PTRACE_SEIZE, sibling.pid(), nullptr, nullptr) == 0; });
}

BOOST_AUTO_TEST_CASE(reads_a_siblings_memory) {
    const Sibling sibling;
    int local = 0;
    static int remote = 7;
    is_stopped(Fate::Killed, [&] {
        const iovec here{&local, sizeof local};
        const iovec there{&remote, sizeof remote};
        return ::process_vm_readv(sibling.pid(), &here, 1, &there, 1, 0) == sizeof local;
    });
}

BOOST_AUTO_TEST_CASE(signals_the_coordinator) {
    is_stopped(Fate::Killed, [] { return ::kill(::getppid(), 0) == 0; });
    is_stopped(Fate::Killed, [] { return ::syscall(SYS_pidfd_open, ::getppid(), 0) >= 0; });
    is_stopped(Fate::Killed, [] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0) == 0; });
}

BOOST_AUTO_TEST_CASE(limits_the_coordinator) {
    is_stopped(Fate::Killed, [] {
        rlimit now{};
        return ::prlimit(::getppid(), RLIMIT_NOFILE, nullptr, &now) == 0;
    });
}

BOOST_AUTO_TEST_CASE(fills_the_disk) {
    is_stopped(Fate::Killed, [this] {
        const int fd = ::open((inside.path + "/large").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        const std::string chunk(64 * 1024, 'x');
        for (int i = 0; i < 48; ++i)
            if (::write(fd, chunk.data(), chunk.size()) < 0) return false;
        return true;
    });
}

BOOST_AUTO_TEST_CASE(fills_the_disk_with_many_files, *boost::unit_test::precondition(with_user_namespaces)) {
    is_stopped(Fate::Refused, [this] {
        const std::string chunk(512 * 1024, 'x');
        for (int i = 0; i < 12; ++i) {
            const auto name = inside.path + "/" + std::to_string(i);
            const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            if (::write(fd, chunk.data(), chunk.size()) != static_cast<ssize_t>(chunk.size())) return false;
        }
        return true;
    });
}

BOOST_AUTO_TEST_CASE(leaves_files_for_others_to_find, *boost::unit_test::precondition(with_user_namespaces)) {
    const auto file = inside.path + "/left";
    BOOST_TEST(fate_of([&] { return opens(file, O_WRONLY | O_CREAT); }, true) == Fate::Did);
    BOOST_TEST(!std::filesystem::exists(file));
}

BOOST_AUTO_TEST_CASE(mounts_something, *boost::unit_test::precondition(with_user_namespaces)) {
    BOOST_TEST(fate_of([this] { return ::mount("none", inside.path.c_str(), "tmpfs", 0, nullptr) == 0; }, true) ==
               Fate::Killed);
}

#ifndef CLAMSCANNER_SANITIZED
BOOST_AUTO_TEST_CASE(takes_all_memory) {
    is_stopped(Fate::Refused, [] {
        return ::mmap(nullptr, 1ULL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    });
}
#endif

BOOST_AUTO_TEST_CASE(executes_what_it_wrote) {
    is_stopped(Fate::Killed, [] {
        return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    });
    is_stopped(Fate::Killed, [] {
        void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
    });
}

BOOST_AUTO_TEST_CASE(makes_a_namespace_of_its_own, *boost::unit_test::precondition(as_root)) {
    is_stopped(Fate::Killed, [] { return ::unshare(CLONE_NEWNS) == 0; });
}

BOOST_AUTO_TEST_CASE(asks_for_signals) {
    is_stopped(Fate::Killed, [] { return ::fcntl(0, F_SETOWN, ::getpid()) == 0; });
}

BOOST_AUTO_TEST_CASE(fails_without_its_directory, *boost::unit_test::precondition(with_landlock)) {
    const auto is_refused = [this] {
        try {
            enter_sandbox(inside.path + "/nowhere", limits);
        } catch (const std::system_error&) {
            return true;
        }
        return false;
    };
    BOOST_TEST(fate_of(is_refused, false) == Fate::Did);
}

BOOST_AUTO_TEST_SUITE_END()
