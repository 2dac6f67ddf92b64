// What the daemons that are not root's do at their start, beyond auth/base/service.h.
#pragma once

#include <string>
#include <vector>

#include "auth/base/unique_fd.h"

namespace clamscanner {

// Sockets that a supervisor handed over as `name` (LISTEN_FDS, LISTEN_FDNAMES: sd_listen_fds(3)); mapped by name, as
// their order changes. Empty when there are none for us. May be called once a process: it clears the environment.
[[nodiscard]] std::vector<UniqueFd> handed_over_sockets(const std::string& name);

// Exits with status 78 (EX_CONFIG), saying so, when this program runs as root. For everything outside auth/.
void refuse_root();

// For a daemon that needs no privilege at all: cannot gain any from here on, cannot be traced, leaves no core file.
void give_up_privileges();

}  // namespace clamscanner
