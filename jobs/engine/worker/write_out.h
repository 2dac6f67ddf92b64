// Makes a file's stamp reflect its content. Used by a worker before a scan, and by a coordinator before hashing.
#pragma once

namespace clamscanner {

// Writes out the changes in memory, so that the next store through a mapping gives the file a new change time. If the
// file is read afterwards and its stamp is then unchanged, it held the bytes that were read the whole time.
[[nodiscard]] bool write_out(int fd) noexcept;

}  // namespace clamscanner
