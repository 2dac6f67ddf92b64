// Answers --check-config, in every program alike: whether the whole configuration is one with which all programs start.
#pragma once

#include <string>
#include <vector>

namespace clamscanner {

// Everything that is wrong with it, a line each: with the files, and with the users, groups and PAM service that they
// name. Throws std::system_error when a file cannot be opened.
[[nodiscard]] std::vector<std::string> config_faults(const std::string& file);

// Says so, for the program of that name, and gives its exit status: 0, 66 (a file cannot be opened) or 78.
[[nodiscard]] int check_config(const char* program, const std::string& file);

}  // namespace clamscanner
