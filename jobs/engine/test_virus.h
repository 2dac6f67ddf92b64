// The EICAR test file, put together at run time so that no scanner takes our own programs for it. A worker that does
// not find it finds nothing, whatever it says.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

[[nodiscard]] std::string test_virus();

// A ZIP archive of one file, stored.
[[nodiscard]] std::string stored_zip(const std::string& name, const std::string& content);

// The virus inside one: to find it, a scanner has to unpack into its temporary directory.
[[nodiscard]] std::string zipped_test_virus();

// An anonymous file with that content, opened for reading only; nobody can change it.
[[nodiscard]] UniqueFd sealed_file(const std::string& content);

}  // namespace clamscanner
