// Root becomes a user for good. Everything that crosses from root to a user's process goes through here.
#pragma once

#include <string>
#include <vector>

#include "auth/base/account.h"

namespace clamscanner {

// In a fresh child of root: gives up every capability and the user for good, tries to get root back and dies if that
// works. Dies on any fault: a half-changed identity must not go on.
void become_for_good(const Account& account) noexcept;

// Then: a fixed environment, descriptors from `first_closed` on closed, no_new_privs, no core files, and exec. If
// `quiet`, standard input and output from /dev/null and stray signals ignored. Dies if it does not start.
[[noreturn]] void exec_clean(const Account& account, const std::string& program,
                             const std::vector<std::string>& arguments, unsigned first_closed, bool quiet) noexcept;

}  // namespace clamscanner
