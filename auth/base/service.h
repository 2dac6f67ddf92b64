// What every daemon does at its start and its end, with systemd or without: options, descriptors, a word when ready,
// an exit status.
#pragma once

#include <functional>
#include <string>

#include "auth/base/command_line.h"
#include "auth/base/log.h"

namespace clamscanner {

// How a daemon ends that cannot go on.
struct AtFault {
    Severity severity = Severity::Fatal;
    int wrong_configuration = 78;  // EX_CONFIG
};

// main() of a daemon: takes what every program takes and nothing else (command_line.h), and runs until `run` returns
// (status 0) or throws: a ConfigError, or anything else (status 70, EX_SOFTWARE), which goes to the log.
[[nodiscard]] int run_daemon(const CommandForm& form, int argc, char** argv,
                             const std::function<void(const std::string& config_file)>& run, AtFault at_fault = {});

// For a daemon that serves from now on: tells the supervisor, and the log.
void report_ready() noexcept;

// Sends `state`, "READY=1" or "STOPPING=1", to the supervisor named by NOTIFY_SOCKET (sd_notify(3): one datagram). Does
// nothing without one.
void notify_supervisor(const char* state) noexcept;

// Raises the limit of open descriptors to 65,536, if the hard limit allows: for a daemon with many peers.
void raise_descriptor_limit();

// Points fd 0 and 1 to /dev/null, and 2 as well when it is closed, so that no later open() lands on them.
void occupy_standard_descriptors();

}  // namespace clamscanner
