// Root becomes a user for good. Every transition from root to a user's process goes through here.
#pragma once

#include <string>
#include <vector>

#include "auth/base/account.h"

namespace clamscanner {

// Call in a fresh child of root. Gives up every capability and root's ids for good, then tries to get root back and
// dies if that works. Dies on any fault: a half-changed identity must not go on.
void become_for_good(const Account& account) noexcept;

// Then executes `program` with a fixed environment, descriptors from `first_closed` on closed, no_new_privs and no core
// files. If `quiet`, standard input and output are /dev/null and stray signals are ignored. Dies if the program does
// not start.
[[noreturn]] void exec_clean(const Account& account, const std::string& program,
                             const std::vector<std::string>& arguments, unsigned first_closed, bool quiet) noexcept;

}  // namespace clamscanner
