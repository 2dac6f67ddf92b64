// What a program has to say to the administrator: one line on standard error, in one write, with the priority prefix
// that systemd's journal understands (sd-daemon(3)) when the line goes there. Never a password, never foreign control
// characters: whatever a user or a client chose is escaped.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

enum class Severity { Fatal = 2, Error = 3, Warning = 4, Info = 6 };

// Set once at the start of main(); `name` must outlive the program.
void name_this_program(const char* name) noexcept;

void log_line(Severity severity, std::string_view text) noexcept;

// For the place where code must not go on (between fork and exec, a failed privilege drop): says so and _exit(70).
[[noreturn]] void die(std::string_view text) noexcept;

// `text` with every byte that is not printable ASCII as \xHH: for names that others chose.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace clamscanner
