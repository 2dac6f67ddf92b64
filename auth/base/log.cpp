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
std::string for_account;                    // of the program's lines in the journal of another's service
constexpr std::size_t longest_line = 4000;  // what is longer is cut

const char* severity_word(Severity severity) noexcept {
    static constexpr const char* words[] = {"", "", "fatal", "error", "warning", "", "info"};
    return words[static_cast<int>(severity)];
}

}  // namespace

void name_this_program(const char* name) noexcept {
    program_name = name;
}

const char* program_in_log() noexcept {
    return program_name;
}

void name_account_in_log(const char* user) {
    constexpr std::size_t longest_name = 64;
    for_account = " for " + (user == nullptr ? "an account" : printable(user).substr(0, longest_name));
}

void log_line(Severity severity, std::string_view text) noexcept {
    static const bool to_journal = ::getenv("JOURNAL_STREAM") != nullptr;
    char head[160];
    const int pid = static_cast<int>(::getpid());
    int head_size = 0;
    if (!to_journal)
        head_size = std::snprintf(head, sizeof head, "%s[%d]%s: %s: ", program_name, pid, for_account.c_str(),
                                  severity_word(severity));
    else if (for_account.empty())
        head_size = std::snprintf(head, sizeof head, "<%d>", static_cast<int>(severity));
    else
        head_size = std::snprintf(head, sizeof head, "<%d>%s[%d]%s: ", static_cast<int>(severity), program_name, pid,
                                  for_account.c_str());
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
