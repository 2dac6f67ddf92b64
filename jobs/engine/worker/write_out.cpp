#include "jobs/engine/worker/write_out.h"

#include <fcntl.h>

namespace clamscanner {

// As fdatasync() does it, without what makes that slow: a commit of the file system's journal and a flush of the disk's
// cache. Not durability is wanted here but the kernel's side effect, that pages written out are write-protected again.
bool write_out(int fd) noexcept {
    return ::sync_file_range(fd, 0, 0,
                             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0;
}

}  // namespace clamscanner
