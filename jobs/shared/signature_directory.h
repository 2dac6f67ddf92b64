// Examines a directory with a ClamAV signature database by its file names and metadata, without libclamav.
#pragma once

#include <string>

namespace clamscanner {

// Names, inodes, sizes and times of the files in it that the library would load: the text differs if any of these has
// changed. What else lies there does not count (freshclam unpacks in a directory tmp.…, and keeps notes). Empty if the
// directory cannot be read.
[[nodiscard]] std::string listing_of(const std::string& directory);

// Whether it holds a database, judging by the file names.
[[nodiscard]] bool holds_signatures(const std::string& directory);

}  // namespace clamscanner
