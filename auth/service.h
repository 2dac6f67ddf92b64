// What every daemon does at its start, with systemd or without: options, sockets handed over, a word when ready.
#pragma once

#include <string>
#include <vector>

#include "auth/unique_fd.h"

namespace clamscanner {

// The file that --config names, or the installed default. Any other option: prints usage and exits with status 64.
[[nodiscard]] std::string config_file_of(int argc, char** argv);

// The file that is read without --config.
[[nodiscard]] const char* installed_config_file() noexcept;

// Sockets that a supervisor handed over as `name` (LISTEN_FDS, LISTEN_FDNAMES: sd_listen_fds(3)); mapped by name, as
// their order changes. Empty when there are none for us. May be called once a process: it clears the environment.
[[nodiscard]] std::vector<UniqueFd> handed_over_sockets(const std::string& name);

// Tells the supervisor named by NOTIFY_SOCKET: "READY=1", "STOPPING=1" (sd_notify(3): one datagram). Silent without
// one.
void notify_supervisor(const char* state) noexcept;

// Exits with status 78 (EX_CONFIG), saying so, when this program runs as root. For everything but authd.
void refuse_root();

// For a daemon that needs no privilege at all: cannot gain any from here on, cannot be traced, leaves no core file.
void give_up_privileges();

// For a daemon that keeps a descriptor for each of its many peers: up to 65,536, if the hard limit allows.
void raise_descriptor_limit();

// Points fd 0 and 1 to /dev/null, and 2 as well when it is closed, so that no later open() lands on them.
void occupy_standard_descriptors();

}  // namespace clamscanner
