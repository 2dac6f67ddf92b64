// The EICAR test file, put together at run time so that no scanner takes our own programs for it. A worker that does
// not find it finds nothing, whatever it says.
#pragma once

#include <string>

#include "auth/unique_fd.h"

namespace clamscanner {

[[nodiscard]] std::string test_virus();

// The same inside a ZIP archive (stored): to find it, a scanner has to unpack into its temporary directory.
[[nodiscard]] std::string zipped_test_virus();

// An anonymous file with that content, opened for reading only; nobody can change it.
[[nodiscard]] UniqueFd sealed_file(const std::string& content);

}  // namespace clamscanner
