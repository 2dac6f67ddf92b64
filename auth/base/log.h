// Log lines for the administrator: each goes to standard error in one write, with the priority prefix that systemd's
// journal understands (sd-daemon(3)) when it goes there. Never a password, never untrusted control characters: callers
// escape whatever a user or a client chose.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

enum class Severity { Fatal = 2, Error = 3, Warning = 4, Info = 6 };

// Set once at the start of main(); `name` must outlive the program.
void name_this_program(const char* name) noexcept;

[[nodiscard]] const char* program_in_log() noexcept;

// For a program that somebody else's service starts for an account: the journal has its lines under that service's
// name, so each says of itself which program speaks, and for whom. `user` is null without one.
void name_account_in_log(const char* user);

void log_line(Severity severity, std::string_view text) noexcept;

// For code that must not go on (between fork and exec, a failed privilege drop): logs `text` and calls _exit(70).
[[noreturn]] void die(std::string_view text) noexcept;

// `text` with every byte that is not printable ASCII as \xHH: for names that others chose.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace clamscanner
