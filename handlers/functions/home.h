// The caller's home, looked at as the caller: which of the directories that may be scanned are there.
#pragma once

#include <string>

namespace clamscanner {

enum class DirectoryState {
    Present,
    Missing,
    Symlink,  // it or something on the way to it: never followed
    NotADirectory,
    Closed,  // the caller may not enter it
};

// `directory` is below `home`; "" is the home itself, whose own path may hold symlinks.
[[nodiscard]] DirectoryState look_at_directory(const std::string& home, const std::string& directory);

}  // namespace clamscanner
