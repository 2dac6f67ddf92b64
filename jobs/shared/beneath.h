// Opens paths below a directory that is already open, and never outside it: no symbolic link is followed in any
// component, no other file system is entered unless allowed, and paths may be longer than PATH_MAX. Used by the runner
// and the agent, whose own user may replace any directory by a link at any moment.
#pragma once

#include <string>
#include <string_view>

#include "auth/base/unique_fd.h"

namespace clamscanner {

enum class Crossing { Forbidden, Allowed };

// `path` is relative; "" is the directory itself. Close-on-exec is added to `flags`. Empty on error, with errno set:
// ELOOP for a symbolic link, EXDEV for another file system or a path that leads outside.
[[nodiscard]] UniqueFd open_beneath(int directory, std::string_view path, int flags, Crossing crossing);

// The path of the directory that holds `path`, "" for the start, and the last component.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_path(std::string_view path) noexcept;

}  // namespace clamscanner
