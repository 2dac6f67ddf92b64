#include "fcgi/response.h"

#include <algorithm>
#include <iterator>

namespace clamscanner {
namespace {

struct Reason {
    int status;
    const char* phrase;
};

constexpr Reason reasons[] = {
    {200, "OK"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

// A quoted-string (RFC 9110, section 5.6.4).
std::string quoted_string(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted += '"';
}

}  // namespace

const char* reason_phrase(int status) noexcept {
    const auto* const found = std::ranges::find(reasons, status, &Reason::status);
    return found == std::end(reasons) ? nullptr : found->phrase;
}

std::string header_of(const Response& response, const std::string& realm) {
    std::string header;
    header.reserve(384);
    header += "Status: " + std::to_string(response.status) + ' ' + reason_phrase(response.status) + "\r\n";
    header += std::string("Content-Type: ") + response.content_type + "\r\n";
    header += std::string("Cache-Control: ") + response.cache_control + "\r\n";
    header += "X-Content-Type-Options: nosniff\r\n";
    header += response.more_headers;
    header += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    if (response.status == 401 && response.challenges)
        header += "WWW-Authenticate: Basic realm=" + quoted_string(realm) + ", charset=\"UTF-8\"\r\n";
    if (response.closes) header += "Connection: close\r\n";
    if (!response.allow.empty()) header += "Allow: " + response.allow + "\r\n";
    if (response.retry_seconds != 0) header += "Retry-After: " + std::to_string(response.retry_seconds) + "\r\n";
    header += "\r\n";
    return header;
}

}  // namespace clamscanner
