// The audit log: who did what, from where and when, for the administrator and for programs that read it. Each event is
// one line, a JSON object, in the log (log.h), and in a file as well if the administrator wants that (audit.directory):
// only ever appended to, by one program, and opened anew for each line, so that it may be moved away at any time.
//
// Never a password, a token, or a name that no account has: it may be a password typed into the wrong field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clamscanner {

// From here on every event also goes to this file, "" for none. It has the mode 0640 and its directory's group, if that
// is setgid. A file that is a link, or that belongs to somebody else, is not written.
void audit_to_file(std::string file);

class AuditEvent {
 public:
    // Begins with the event's name and the time.
    explicit AuditEvent(std::string_view event);
    // Keys are ours; a text may hold any bytes: what is no UTF-8 is written as the API writes it, \udc80 to \udcff.
    AuditEvent& text(const char* key, std::string_view value);
    AuditEvent& number(const char* key, std::uint64_t value);
    // Writes the line. An error is a line of the log, once a minute.
    void write() noexcept;
    // The same for root's command of that name, whose standard error is a terminal: to syslog, with the uid that logged
    // in (which sudo does not change), and to this file, if it is not "".
    void write_for_command(const char* program, const std::string& file) noexcept;

    [[nodiscard]] std::string line() const { return line_ + "}"; }

 private:
    std::string line_;
};

}  // namespace clamscanner
