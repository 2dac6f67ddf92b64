// Examines directories of the caller's home, with the caller's own rights: can they be scanned?
#pragma once

#include <string>

namespace clamscanner {

// Why the directory cannot be scanned, to follow its name ("does not exist"); empty if it can. `directory` is below
// `home`; "" is the home itself, whose own path may hold symlinks. Other symlinks are never followed.
[[nodiscard]] std::string directory_problem(const std::string& home, const std::string& directory);

}  // namespace clamscanner
