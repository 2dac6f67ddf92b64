// Opening by path, below a directory that is open already, and never out of it: no symbolic link is followed in any
// component, no other file system is entered unless wanted, and paths may be longer than the kernel takes at once. Used
// by the runner, whose own user may swap any directory for a link at any moment.
#pragma once

#include <string>
#include <string_view>

#include "auth/base/unique_fd.h"

namespace clamscanner {

enum class Crossing { Forbidden, Allowed };

// `path` is relative, "" being the directory itself. Close-on-exec is added to `flags`. Empty on error, errno says why:
// ELOOP for a link in the way, EXDEV for another file system or a way out.
[[nodiscard]] UniqueFd open_beneath(int directory, std::string_view path, int flags, Crossing crossing);

// The path of the directory that holds `path`, "" for the start, and the last component.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_path(std::string_view path) noexcept;

}  // namespace clamscanner
