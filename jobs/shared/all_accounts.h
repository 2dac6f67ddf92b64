// The accounts that a system scan goes through.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace clamscanner {

// The uids from the floor on, of all users that the name service lists and that have a home, those of /etc/passwd at
// least: many directories of users do not let themselves be listed. Takes its time. Throws std::system_error.
[[nodiscard]] std::vector<uid_t> all_accounts(std::uint64_t uid_floor);

}  // namespace clamscanner
