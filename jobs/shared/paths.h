// Paths below a home; the home's path may end with a slash.
#pragma once

#include <string>

namespace clamscanner {

// "" is the home itself.
[[nodiscard]] inline std::string path_in(const std::string& home, const std::string& relative) {
    if (relative.empty()) return home;
    return (home.ends_with('/') ? home : home + "/") + relative;
}

[[nodiscard]] inline bool is_below(const std::string& path, const std::string& directory) {
    return path.starts_with(directory.ends_with('/') ? directory : directory + "/");
}

}  // namespace clamscanner
