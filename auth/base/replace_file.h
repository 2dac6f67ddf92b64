// For small files: tells whether one has changed, and replaces one atomically.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace clamscanner {

// What stat() says of a file's content; zeros: there is none. Taken before it is read: what is written meanwhile makes
// another version.
using FileVersion = std::array<std::int64_t, 4>;
[[nodiscard]] FileVersion version_of(const std::string& file);

// Replaces the file atomically: a reader sees either the old content or all of the new, even after a power failure.
// Only root may be able to write to its directory. After a std::system_error the file has either of them. Without a
// sync it does not wait for the disk, and a power failure may leave anything.
enum class Sync { Yes, No };
void replace_file(const std::string& file, std::string_view content, mode_t mode, Sync sync = Sync::Yes);

}  // namespace clamscanner
