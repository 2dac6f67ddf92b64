// What every daemon does at its start, with systemd or without: options, descriptors, a word when ready.
#pragma once

#include <string>
#include <vector>

namespace clamscanner {

// The file that --config names, or the installed default. Any other option: prints usage and exits with status 64.
[[nodiscard]] std::string config_file_of(int argc, char** argv);

// For a command: the same, and takes "--config FILE" from the start of its words.
[[nodiscard]] std::string take_config_file(std::vector<std::string>& words);

// The file that is read without --config.
[[nodiscard]] const char* installed_config_file() noexcept;

// Tells the supervisor named by NOTIFY_SOCKET: "READY=1", "STOPPING=1" (sd_notify(3): one datagram). Silent without
// one.
void notify_supervisor(const char* state) noexcept;

// For a daemon that keeps a descriptor for each of its many peers: up to 65,536, if the hard limit allows.
void raise_descriptor_limit();

// Points fd 0 and 1 to /dev/null, and 2 as well when it is closed, so that no later open() lands on them.
void occupy_standard_descriptors();

}  // namespace clamscanner
