#include "jobs/engine/worker/sandbox.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"
#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

// ---- Landlock (landlock(7)). Debian's header lacks what newer kernels support. --------------------------------------

constexpr std::uint64_t write_file = 1ULL << 1;
constexpr std::uint64_t read_file = 1ULL << 2;
constexpr std::uint64_t read_directory = 1ULL << 3;
constexpr std::uint64_t remove_directory = 1ULL << 4;
constexpr std::uint64_t remove_file = 1ULL << 5;
constexpr std::uint64_t make_directory = 1ULL << 7;
constexpr std::uint64_t make_file = 1ULL << 8;
constexpr std::uint64_t truncate_file = 1ULL << 14;
constexpr std::uint64_t all_of_version_1 = (1ULL << 13) - 1;
constexpr std::uint64_t refer = 1ULL << 13;                  // version 2
constexpr std::uint64_t device_ioctl = 1ULL << 15;           // version 5
constexpr std::uint64_t all_of_tcp = 1ULL << 0 | 1ULL << 1;  // version 4
constexpr std::uint64_t all_scopes = 1ULL << 0 | 1ULL << 1;  // version 6: abstract sockets, signals

struct Ruleset {
    std::uint64_t files;
    std::uint64_t network;
    std::uint64_t scoped;
};

struct __attribute__((packed)) BeneathRule {
    std::uint64_t allowed;
    std::int32_t parent;
};

constexpr int beneath_rule = 1;       // LANDLOCK_RULE_PATH_BENEATH
constexpr unsigned ask_version = 1U;  // LANDLOCK_CREATE_RULESET_VERSION

void confine_files(const std::string& directory) {
    const int version = landlock_version();
    if (version < 1) return;
    Ruleset ruleset{all_of_version_1, 0, 0};
    std::uint64_t allowed =
        write_file | read_file | read_directory | remove_directory | remove_file | make_directory | make_file;
    if (version >= 2) ruleset.files |= refer;
    if (version >= 3) {
        ruleset.files |= truncate_file;
        allowed |= truncate_file;
    }
    if (version >= 4) ruleset.network = all_of_tcp;
    if (version >= 5) ruleset.files |= device_ioctl;
    if (version >= 6) ruleset.scoped = all_scopes;
    // An older kernel knows a shorter structure, and accepts a longer one that ends in zeros.
    const UniqueFd rules(static_cast<int>(
        checked(::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0U), "make Landlock's rules")));
    const UniqueFd opened(
        checked(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), "open a worker's directory"));
    const BeneathRule rule{allowed, opened.get()};
    checked(::syscall(SYS_landlock_add_rule, rules.get(), beneath_rule, &rule, 0U), "allow a worker its directory");
    checked(::syscall(SYS_landlock_restrict_self, rules.get(), 0U), "confine a worker to its directory");
}

// ---- rlimits -------------------------------------------------------------------------------------------------------

#ifdef CLAMSCANNER_SANITIZED
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

std::uint64_t mapped_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0;
    file >> pages;
    if (!file || pages == 0) throw_errno("ask for the size of this process", EIO);
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(decltype(RLIMIT_AS) resource, std::uint64_t most) {
    const rlimit both{most, most};
    checked(::setrlimit(resource, &both), "limit a worker");
}

// ---- seccomp -------------------------------------------------------------------------------------------------------

// Found with strace: the library's calls for archives, documents, mail and programs of every kind that it unpacks.
// Where a call can do more than a scan needs, its arguments are restricted below.
constexpr std::array allowed_calls = {
    // the descriptors that it has
    "read", "pread64", "readv", "write", "pwrite64", "writev", "lseek", "close", "fstat", "newfstatat", "statx",
    "fstatfs", "ftruncate", "fsync", "fdatasync", "sync_file_range", "fallocate", "fadvise64", "copy_file_range", "dup",
    // files: Landlock decides which
    "openat", "open", "stat", "lstat", "access", "faccessat", "faccessat2", "getdents64", "mkdir", "mkdirat", "rmdir",
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "chmod", "fchmod", "fchmodat", "umask", "getcwd",
    "readlink", "readlinkat", "utimensat", "truncate",
    // memory
    "brk", "munmap", "mremap", "madvise", "mincore",
    // itself
    "futex", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getrusage", "sched_yield",
    "sched_getaffinity", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "set_robust_list", "rseq", "uname", "sysinfo", "getrandom", "exit", "exit_group",
    // time
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times",
    // talking to the coordinator
    "recvmsg", "sendmsg", "poll", "ppoll"};

// With which a process starts others that scan, locks them in and ends them.
constexpr std::array starting_calls = {"clone",
                                       "fork",
                                       "vfork",
                                       "wait4",
                                       "waitid",
                                       "pidfd_open",
                                       "pidfd_send_signal",
                                       "kill",
                                       "dup2",
                                       "dup3",
                                       "close_range",
                                       "prctl",
                                       "seccomp",
                                       "unshare",
                                       "mount",
                                       "capset",
                                       "setrlimit",
                                       "prlimit64",
                                       "getrlimit",
                                       "setsid",
                                       "landlock_create_ruleset",
                                       "landlock_add_rule",
                                       "landlock_restrict_self"};

// Further processes and threads: refused with an error that programs handle.
constexpr std::array refused_calls = {"clone", "fork", "vfork"};

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

void rule(const Filter& filter, std::uint32_t action, const char* call, const std::vector<scmp_arg_cmp>& arguments) {
    const int number = ::seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR) return;  // this architecture has no such call
    const int error = ::seccomp_rule_add_array(filter.get(), action, number, static_cast<unsigned>(arguments.size()),
                                               arguments.data());
    // EDOM and a negative number: the call belongs to another architecture.
    if (error != 0 && number >= 0) throw_errno("write the list of system calls", -error);
}

// In the kernel's form: an array of sock_filter.
std::string list_of_calls(PreparedSandbox::Calls calls) {
    const Filter filter(::seccomp_init(SCMP_ACT_KILL_PROCESS), &::seccomp_release);
    if (!filter) throw_errno("begin the list of system calls", ENOMEM);
    for (const char* call : allowed_calls) rule(filter, SCMP_ACT_ALLOW, call, {});
    const bool starts = calls == PreparedSandbox::Calls::StartScans;
    if (starts)
        for (const char* call : starting_calls) rule(filter, SCMP_ACT_ALLOW, call, {});
    else
        for (const char* call : refused_calls) rule(filter, SCMP_ACT_ERRNO(EAGAIN), call, {});
    rule(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", {});
    // Memory that was written cannot be made executable.
    for (const char* call : {"mmap", "mprotect"})
        rule(filter, SCMP_ACT_ALLOW, call, {scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}});
    for (const int command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL})
        rule(filter, SCMP_ACT_ALLOW, "fcntl", {scmp_arg_cmp{1, SCMP_CMP_EQ, static_cast<scmp_datum_t>(command), 0}});
    // A sanitizer writes into a pipe to find out whether an object's memory is readable.
    if (is_sanitized) rule(filter, SCMP_ACT_ALLOW, "pipe2", {});
    const UniqueFd file(checked(::memfd_create("system calls", MFD_CLOEXEC), "write the list of system calls"));
    if (const int error = ::seccomp_export_bpf(filter.get(), file.get()); error != 0)
        throw_errno("write the list of system calls", -error);
    std::string list(static_cast<std::size_t>(checked(::lseek(file.get(), 0, SEEK_END), "size the list")), '\0');
    if (::pread(file.get(), list.data(), list.size(), 0) != static_cast<ssize_t>(list.size()))
        throw_errno("read the list of system calls", EIO);
    return list;
}

}  // namespace

int landlock_version() noexcept {
    const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, ask_version);
    return version < 0 ? 0 : static_cast<int>(version);
}

PreparedSandbox::PreparedSandbox(Calls calls) : filter_(list_of_calls(calls)), mapped_bytes_(mapped_bytes()) {}

void PreparedSandbox::restrict_calls() const {
    sock_fprog program{};
    program.len = static_cast<unsigned short>(filter_.size() / sizeof(sock_filter));
    program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter_.data()));
    checked(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), "load the list of system calls");
}

void PreparedSandbox::enter(const std::string& directory, const SandboxLimits& limits) const {
    give_up_privileges();
    limit(RLIMIT_NPROC, 0);
    if (limits.file_bytes != 0) limit(RLIMIT_FSIZE, limits.file_bytes);
    // A sanitizer maps more memory than any limit allows.
    if (!is_sanitized && limits.memory_bytes != 0) limit(RLIMIT_AS, mapped_bytes_ + limits.memory_bytes);
    confine_files(directory);
    restrict_calls();
}

void enter_sandbox(const std::string& directory, const SandboxLimits& limits) {
    if (limits.directory_bytes != 0) static_cast<void>(mount_own_tmpfs(directory, limits.directory_bytes));
    PreparedSandbox(PreparedSandbox::Calls::Scan).enter(directory, limits);
}

}  // namespace clamscanner
