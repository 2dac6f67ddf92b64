// Which build of libclamav this process has, and whether another one has been installed since: an update of the system
// replaces the file, but a process keeps what it has mapped.
#pragma once

#include <string>

namespace clamscanner {

// Names and build-ids (the linker's NT_GNU_BUILD_ID) of libclamav and of what it has loaded, such as libclamunrar, as
// they are mapped here; one without a build-id is "unknown". The version alone would not do: a distribution's security
// update keeps it. To be called after cl_init().
[[nodiscard]] std::string mapped_library_builds();

// The files of libclamav and its companions on disk, in the directory that ours was mapped from: names, inodes, sizes
// and times. Another text when one of them was replaced, added or removed. Empty when that directory cannot be read.
[[nodiscard]] std::string installed_library_files();

}  // namespace clamscanner
