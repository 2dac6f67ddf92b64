// One FastCGI connection with its one request: parameters, body, answer. All input comes from the web server or a
// client. RAII around libfcgi's FCGX_Request, which no other file touches.
#pragma once

#include <fcgiapp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/base/unique_fd.h"
#include "fcgi/response.h"
#include "fcgi/unread_bodies.h"
#include "fcgi/watchdog.h"

namespace clamscanner {

enum class BodyState { Whole, TooLong, WrongLength, Late };

class WebRequest {
 public:
    // `read_seconds`: for the whole request to arrive; `watch` enforces it. `unread` takes over what was answered
    // before.
    WebRequest(Watch& watch, UnreadBodies& unread, std::chrono::seconds read_seconds);
    WebRequest(const WebRequest&) = delete;
    WebRequest& operator=(const WebRequest&) = delete;
    ~WebRequest();

    // Reads the parameters of the request on `connection` (blocking). False when there is none that can be answered.
    [[nodiscard]] bool begin(UniqueFd connection);

    // "" for one that was not sent. Valid until the end of the request.
    [[nodiscard]] std::string_view parameter(const char* name) const;
    // Overwrites the value where libfcgi keeps it.
    void wipe_parameter(const char* name);

    // According to the web server: 0 when it says nothing, empty when what it says is not a number.
    [[nodiscard]] std::optional<std::size_t> announced_length() const;

    // Whether there is a body to wait for: else read_body() returns at once.
    [[nodiscard]] bool has_body() const;

    // Reads the body to its end, unless it is longer than `limit` or than announced: that is noticed as soon as it can
    // be. Blocks for as long as the client takes, at most until the request's deadline, or for `patience`.
    [[nodiscard]] BodyState read_body(std::size_t limit, std::string& body,
                                      std::chrono::seconds patience = std::chrono::seconds::max());

    // Whether the request was read to its end.
    [[nodiscard]] bool is_whole() const noexcept { return whole_; }

    void answer(const Response& response, const std::string& realm, bool with_body);

    // Ends the request and its connection. Never waits for what was not read.
    void end();

 private:
    [[nodiscard]] bool is_at_end();

    Watch& watch_;
    UnreadBodies& unread_;
    std::chrono::seconds read_seconds_;
    Deadline read_deadline_;
    FCGX_Request request_{};
    bool whole_ = false;  // everything was read, so the connection may be closed at once
};

}  // namespace clamscanner
