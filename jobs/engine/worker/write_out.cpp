#include "jobs/engine/worker/write_out.h"

#include <fcntl.h>

namespace clamscanner {

// Like fdatasync(), but without its slow parts: the commit of the file system's journal and the flush of the disk's
// cache. We need not durability but a side effect: the kernel write-protects the pages that were written out.
bool write_out(int fd) noexcept {
    return ::sync_file_range(fd, 0, 0,
                             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0;
}

}  // namespace clamscanner
