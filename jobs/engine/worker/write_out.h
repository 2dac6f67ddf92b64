// What a file's stamp says of its content: used before a scan, by a worker, and before a hash, by a coordinator.
#pragma once

namespace clamscanner {

// What is changed in memory, so that the next store through a mapping gives the file a new change time. Whoever reads
// the file afterwards, and finds its stamp unchanged then, knows that it held what was read all the while.
[[nodiscard]] bool write_out(int fd) noexcept;

}  // namespace clamscanner
