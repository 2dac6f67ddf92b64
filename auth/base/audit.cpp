#include "auth/base/audit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

std::string audit_file;

constexpr mode_t audit_mode = S_IRUSR | S_IWUSR | S_IRGRP;
constexpr std::chrono::minutes between_complaints{1};

// The length of the UTF-8 sequence that begins here; 0 if there is none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > text.size()) return 0;
    std::uint32_t code = length == 1 ? first : first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if (byte(i) >> 6 != 2) return 0;
        code = code << 6 | (byte(i) & 0x3fU);
    }
    static constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code >= least[length] && code <= 0x10ffff && !is_surrogate ? length : 0;
}

std::string quoted(std::string_view text) {
    std::string json = "\"";
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const auto length = sequence_length(text.substr(at));
        char escape[8];
        if (length == 0 || byte < 0x20 || byte == 0x7f) {
            std::snprintf(escape, sizeof escape, "\\u%s%02x", length == 0 ? "dc" : "00", byte);
            json += escape;
        } else {
            if (byte == '"' || byte == '\\') json += '\\';
            json += text.substr(at, length);
        }
        at += length == 0 ? 1 : length;
    }
    return json + "\"";
}

std::string time_now() {
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    const std::time_t seconds = std::chrono::system_clock::to_time_t(second);
    tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%FT%T", &utc);
    const auto milliseconds = std::to_string((now - second).count());
    return std::string(text) + "." + std::string(3 - milliseconds.size(), '0') + milliseconds + "Z";
}

void append(const std::string& line) {
    const UniqueFd file(checked(
        ::open(audit_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, audit_mode),
        ("open " + audit_file).c_str()));
    struct stat status {};
    checked(::fstat(file.get(), &status), ("examine " + audit_file).c_str());
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || status.st_nlink != 1)
        throw_errno((audit_file + " is no file of our own").c_str(), EPERM);
    // Our umask may have taken the group's right.
    if ((status.st_mode & 07777) != audit_mode) checked(::fchmod(file.get(), audit_mode), "set the audit file's mode");
    if (!write_all(file.get(), line)) throw_errno(("write " + audit_file).c_str());
}

}  // namespace

void audit_to_file(std::string file) {
    audit_file = std::move(file);
}

AuditEvent::AuditEvent(std::string_view event) : line_("{\"event\":" + quoted(event)) {
    text("time", time_now());
}

AuditEvent& AuditEvent::text(const char* key, std::string_view value) {
    line_ += std::string(",\"") + key + "\":" + quoted(value);
    return *this;
}

AuditEvent& AuditEvent::number(const char* key, std::uint64_t value) {
    line_ += std::string(",\"") + key + "\":" + std::to_string(value);
    return *this;
}

void AuditEvent::write() noexcept try {
    log_line(Severity::Info, line());
    if (!audit_file.empty()) append(line() + "\n");
} catch (const std::exception& fault) {
    static std::chrono::steady_clock::time_point not_before{};
    const auto now = std::chrono::steady_clock::now();
    if (now < not_before) return;
    not_before = now + between_complaints;
    log_line(Severity::Error, std::string("the audit file lacks events, which are in this log alone: ") + fault.what());
}

void AuditEvent::write_for_command(const char* program, const std::string& file) noexcept {
    text("by", "administrator");
    std::uint64_t login = 0;
    constexpr std::uint64_t none = UINT32_MAX;
    if (std::ifstream("/proc/self/loginuid") >> login && login != none) number("login_uid", login);
    ::openlog(program, LOG_PID, LOG_AUTHPRIV);
    ::syslog(LOG_NOTICE, "%s", line().c_str());
    ::closelog();
    try {
        audit_to_file(file);
        if (!file.empty()) append(line() + "\n");
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "%s: done, but the audit file lacks it: %s\n", program, fault.what());
    }
}

}  // namespace clamscanner
