// A directory with a ClamAV signature database, as its files look from outside; libclamav is not asked.
#pragma once

#include <string>

namespace clamscanner {

// Names, sizes and times of all files in it: another text when anything changed. Empty when it cannot be read.
[[nodiscard]] std::string listing_of(const std::string& directory);

// Whether there is a database, by the names of its files.
[[nodiscard]] bool holds_signatures(const std::string& directory);

}  // namespace clamscanner
