// Preloaded into jobd: a disk that takes SLOW_SYNC_MILLISECONDS for each sync.
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

int sync_slowly(long number, int fd) {
    const char* const milliseconds = ::getenv("SLOW_SYNC_MILLISECONDS");
    ::usleep(static_cast<useconds_t>(milliseconds == nullptr ? 0 : ::atoi(milliseconds)) * 1000);
    return static_cast<int>(::syscall(number, fd));
}

}  // namespace

extern "C" int fsync(int fd) {
    return sync_slowly(SYS_fsync, fd);
}

extern "C" int fdatasync(int fd) {
    return sync_slowly(SYS_fdatasync, fd);
}
