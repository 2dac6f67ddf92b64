#include "auth/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace clamscanner {
namespace {

const char* program_name = "clamscanner";
constexpr std::size_t longest_line = 4000;  // what is longer is cut

const char* severity_word(Severity severity) noexcept {
    static constexpr const char* words[] = {"", "", "fatal", "error", "warning", "", "info"};
    return words[static_cast<int>(severity)];
}

}  // namespace

void name_this_program(const char* name) noexcept {
    program_name = name;
}

void log_line(Severity severity, std::string_view text) noexcept {
    static const bool to_journal = ::getenv("JOURNAL_STREAM") != nullptr;
    char head[96];
    const int head_size = to_journal ? std::snprintf(head, sizeof head, "<%d>", static_cast<int>(severity))
                                     : std::snprintf(head, sizeof head, "%s[%d]: %s: ", program_name,
                                                     static_cast<int>(::getpid()), severity_word(severity));
    // One writev per line, so that the lines of several processes do not mix. A failure cannot be reported anywhere.
    const iovec parts[] = {{head, static_cast<std::size_t>(head_size)},
                           {const_cast<char*>(text.data()), std::min(text.size(), longest_line)},
                           {const_cast<char*>("\n"), 1}};
    [[maybe_unused]] const auto written = ::writev(STDERR_FILENO, parts, 3);
}

void die(std::string_view text) noexcept {
    log_line(Severity::Fatal, text);
    ::_exit(70);
}

std::string printable(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string safe;
    safe.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            safe += c;
        } else {
            safe += "\\x";
            safe += digits[byte >> 4];
            safe += digits[byte & 15];
        }
    }
    return safe;
}

}  // namespace clamscanner
