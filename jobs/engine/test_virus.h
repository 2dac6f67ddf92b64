// The EICAR test file, assembled at run time so that scanners do not report our own programs. A worker that misses it
// cannot be trusted to find anything.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

[[nodiscard]] std::string test_virus();

// A ZIP archive of one file, stored.
[[nodiscard]] std::string stored_zip(const std::string& name, const std::string& content);

// The test virus in a ZIP archive: to find it, a scanner must unpack into its temporary directory.
[[nodiscard]] std::string zipped_test_virus();

// An anonymous file with that content, opened for reading only and sealed against changes.
[[nodiscard]] UniqueFd sealed_file(const std::string& content);

}  // namespace clamscanner
