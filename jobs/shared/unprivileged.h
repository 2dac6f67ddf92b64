// What the unprivileged programs do at their start, beyond auth/base/service.h.
#pragma once

#include <string>
#include <vector>

#include "auth/base/unique_fd.h"

namespace clamscanner {

// Sockets that the supervisor passed to us under `name` (LISTEN_FDS, LISTEN_FDNAMES: sd_listen_fds(3)); found by name,
// because their order may change. Empty if there are none. Call it once per process: it clears the environment.
[[nodiscard]] std::vector<UniqueFd> inherited_sockets(const std::string& name);

// If this program runs as root, logs that and exits with status 78 (EX_CONFIG). For all programs outside auth/.
void refuse_root();

// For a process that needs no privileges: from here on it can gain none, cannot be traced, and leaves no core file.
void give_up_privileges();

}  // namespace clamscanner
