#include "jobs/runner/home_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/write_all.h"

namespace clamscanner {

void HomeLog::fail(const char* attempted) {
    problem_ = std::string("cannot ") + attempted + ": " + std::strerror(errno);
    file_.reset();
}

void HomeLog::begin() {
    problem_.clear();
    size_ = 0;
    const std::string beside = name_ + "." + random_hex(8);
    file_.reset(::openat(home_, beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_) {
        fail("make the log");
    } else if (::renameat(home_, beside.c_str(), home_, name_.c_str()) < 0) {
        fail("put the log in its place");
        ::unlinkat(home_, beside.c_str(), 0);
    }
}

void HomeLog::append(const std::string& line) {
    if (!file_) return;
    const std::string bytes = line + "\n";
    if (!write_all(file_.get(), bytes)) return fail("write the log");
    size_ += static_cast<off_t>(bytes.size());
}

bool HomeLog::whole() {
    if (!file_) {
        if (problem_.empty()) problem_ = "the log was never begun";
        return false;
    }
    if (::fsync(file_.get()) < 0) {
        fail("write the log to the disk");
        return false;
    }
    struct stat ours {};
    struct stat there {};
    if (::fstat(file_.get(), &ours) < 0 || ::fstatat(home_, name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) < 0 ||
        ours.st_dev != there.st_dev || ours.st_ino != there.st_ino || ours.st_size != size_) {
        problem_ = "another program changed the log while it was written";
        return false;
    }
    return true;
}

}  // namespace clamscanner
