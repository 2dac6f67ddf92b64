#include "jobs/engine/worker/own_tmpfs.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

void write_file(const char* path, const std::string& text) {
    const UniqueFd file(checked(::open(path, O_WRONLY | O_CLOEXEC), "map a worker's user"));
    checked(::write(file.get(), text.data(), text.size()), "map a worker's user");
}

// Maps only our own user and group. Files below /proc/self belong to root while a process is not dumpable.
void map_ourselves(uid_t uid, gid_t gid) {
    checked(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "map a worker's user");
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1");
    write_file("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
    checked(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "forbid tracing");
}

// Of the first 32. They are those of the new namespace, which are worthless outside it.
void keep_capabilities(std::uint32_t kept) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
    sets[0].effective = sets[0].permitted = kept;
    checked(::syscall(SYS_capset, &header, sets), "give up the right to mount");
}

}  // namespace

bool enter_own_namespaces() {
    const uid_t uid = ::geteuid();
    const gid_t gid = ::getegid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return false;
    map_ourselves(uid, gid);
    return true;
}

bool mount_tmpfs(const std::string& directory, std::uint64_t bytes) {
    constexpr std::uint64_t smallest_file = 4096;  // the least space that a file takes
    const std::string options = "mode=0700,size=" + std::to_string(bytes) +
                                ",nr_inodes=" + std::to_string(bytes / smallest_file) +
                                ",uid=" + std::to_string(::geteuid()) + ",gid=" + std::to_string(::getegid());
    // The system may allow the namespace but forbid mounting in it (AppArmor does).
    return ::mount("worker", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
                   options.c_str()) == 0;
}

void keep_mounting_alone() {
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability)
        checked(::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "give up the right to mount");
    keep_capabilities(1U << CAP_SYS_ADMIN);
}

void give_up_mounting() {
    keep_capabilities(0);
}

bool mount_own_tmpfs(const std::string& directory, std::uint64_t bytes) {
    if (!enter_own_namespaces()) return false;
    keep_mounting_alone();
    const bool mounted = mount_tmpfs(directory, bytes);
    give_up_mounting();
    return mounted;
}

bool own_tmpfs_works(const std::string& directory) {
    const pid_t pid = checked(::fork(), "try out a file system of a worker's own");
    if (pid == 0) {
        try {
            ::_exit(mount_own_tmpfs(directory, 1 << 20) ? 0 : 1);
        } catch (const std::exception&) {
            ::_exit(1);
        }
    }
    int status = 0;
    checked(uninterrupted([&] { return ::waitpid(pid, &status, 0); }), "try out a file system of a worker's own");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace clamscanner
