// Small files of root's: whether one has changed, and how it is written anew.
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

// Whoever reads `file` finds either the old content or all of the new one, after a loss of power too. Its directory is
// root's alone. Throws std::system_error, and the old content stands.
void replace_file(const std::string& file, std::string_view content, mode_t mode);

}  // namespace clamscanner
