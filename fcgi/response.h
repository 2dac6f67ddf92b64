// The response to the web server, before it is encoded as FastCGI.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fcgi/body_limits.h"

namespace clamscanner {

struct Response {
    int status = 500;
    std::string body;
    std::string allow;                // of a 405
    std::uint32_t retry_seconds = 0;  // 0: no Retry-After
    const char* content_type = "application/json; charset=utf-8";
    const char* cache_control = "no-store";
    std::string more_headers = {};  // whole lines
    bool challenges = true;         // a 401: whether a browser is to ask for the password
    // The client's connection is of no further use, as a body was not read: Apache keeps the answer back until it has
    // read the rest of the body, unless it is told to close.
    bool closes = false;
    // Of a long one: until it is written.
    std::optional<BodyLimit::Permit> permit = {};
};

// Null for a status that this service does not use.
[[nodiscard]] const char* reason_phrase(int status) noexcept;

// The header as a CGI response has it, empty line included. `realm` is for a 401.
[[nodiscard]] std::string header_of(const Response& response, const std::string& realm);

}  // namespace clamscanner
