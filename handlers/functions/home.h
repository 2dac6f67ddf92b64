// Examines directories of the caller's home, with the caller's own rights: can they be scanned?
#pragma once

#include <string>

namespace clamscanner {

enum class DirectoryState {
    Present,
    Missing,
    Symlink,  // it or a part of its path: never followed
    NotADirectory,
    Closed,  // the caller may not enter it
};

// `directory` is below `home`; "" is the home itself, whose own path may hold symlinks.
[[nodiscard]] DirectoryState directory_state(const std::string& home, const std::string& directory);

}  // namespace clamscanner
