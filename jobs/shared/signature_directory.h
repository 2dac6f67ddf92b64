// Examines a directory with a ClamAV signature database by its file names and metadata, without libclamav.
#pragma once

#include <string>

namespace clamscanner {

struct SignatureListing {
    // Names, inodes, sizes and times of the files that the library would load: the text differs if any of these has
    // changed. What else lies there does not count (freshclam unpacks in a directory tmp.…, and keeps notes).
    std::string files;
    std::string problem;  // why the directory cannot be read, a sentence's part; empty: it was read
    bool operator==(const SignatureListing&) const = default;
};

[[nodiscard]] SignatureListing listing_of(const std::string& directory);

// Whether it holds a database, judging by the file names. False for one that cannot be read.
[[nodiscard]] bool holds_signatures(const std::string& directory);

}  // namespace clamscanner
