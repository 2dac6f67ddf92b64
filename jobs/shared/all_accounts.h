// Lists the accounts that a system scan covers.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace clamscanner {

// The uids, from `uid_floor` on, of all users that the name service lists: at least those in /etc/passwd, because many
// directory services refuse to list their users. May be slow. Throws std::system_error. Looks at no home, since one may
// hang: jobd leaves out who has none.
[[nodiscard]] std::vector<uid_t> all_accounts(std::uint64_t uid_floor);

}  // namespace clamscanner
