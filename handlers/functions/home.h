// Examines directories of the caller's home, with the caller's own rights: can they be scanned?
#pragma once

#include <string>

namespace clamscanner {

// Why the directory cannot be scanned, to follow its name ("does not exist"); empty if it can. `directory` is below
// `home`; "" is the home itself, whose own path may hold symlinks. Other symlinks are never followed.
//
// A child looks at it, with patience (patient_look.h). `lifeline`: a descriptor that the child keeps open, or -1.
// Throws std::system_error.
[[nodiscard]] std::string directory_problem(const std::string& home, const std::string& directory, int lifeline = -1);

}  // namespace clamscanner
