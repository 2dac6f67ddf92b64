// Examines a directory with a ClamAV signature database by its file names and metadata, without libclamav.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace clamscanner {

struct SignatureListing {
    // Names, inodes, sizes and times of the files that the library would load: the text differs if any of these has
    // changed. What else lies there does not count (freshclam unpacks in a directory tmp.…, and keeps notes).
    std::string files;
    std::string problem;  // why the directory cannot be read, a sentence's part; empty: it was read
    bool operator==(const SignatureListing&) const = default;
};

[[nodiscard]] SignatureListing listing_of(const std::string& directory);

// The names of the files in it that the library would load, sorted; none of one that cannot be read.
[[nodiscard]] std::vector<std::string> signature_files(const std::string& directory);

// By its name: the library would load it.
[[nodiscard]] bool is_signature_file(const std::string& name);
// By its name: ClamAV's own form of a database, compressed and mostly signed. Only ClamAV's programs write these.
[[nodiscard]] bool is_signed_database(const std::string& name);
// By its name: it keeps files from being called infected.
[[nodiscard]] bool is_allow_list(const std::string& name);
// By its name: it makes the library find something.
[[nodiscard]] bool holds_signatures_by_name(const std::string& name);

// What the header of one of ClamAV's own databases says.
struct DatabaseVersion {
    std::string name;           // of the file
    std::uint64_t version = 0;  // ClamAV's number: of the daily one, each day another
    std::int64_t built = 0;     // seconds since the epoch
};
// The one that was built last; empty when there is none that can be read.
[[nodiscard]] std::optional<DatabaseVersion> newest_database(const std::string& directory);
// Why the administrator should look at freshclam: a sentence for the log, empty while the newest is less than a week
// old, or when there is none. `now`: seconds since the epoch.
[[nodiscard]] std::string age_warning(const std::string& directory, std::int64_t now);

// Whether it holds a database, judging by the file names. False for one that cannot be read.
[[nodiscard]] bool holds_signatures(const std::string& directory);

}  // namespace clamscanner
