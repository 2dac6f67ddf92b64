// Whether a directory holds a ClamAV signature database, by the names of its files; libclamav is not asked.
#pragma once

#include <string>

namespace clamscanner {

[[nodiscard]] bool holds_signatures(const std::string& directory);

}  // namespace clamscanner
