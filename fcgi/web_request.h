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
#include "fcgi/watchdog.h"

namespace clamscanner {

enum class BodyState { Whole, TooLong, WrongLength, Late };

class WebRequest {
 public:
    // `read_seconds`: for the whole request to arrive; `watch` enforces it.
    WebRequest(Watch& watch, std::chrono::seconds read_seconds);
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

    // Reads the body to its end, even beyond `limit`, so that the client gets to read the answer. Keeps only what is
    // allowed.
    [[nodiscard]] BodyState read_body(std::size_t limit, std::string& body);

    void answer(const Response& response, const std::string& realm, bool with_body);

    // Ends the request and its connection.
    void end();

 private:
    [[nodiscard]] bool read_to_end();

    Watch& watch_;
    std::chrono::seconds read_seconds_;
    Deadline read_deadline_;
    FCGX_Request request_{};
    bool whole_ = false;  // everything was read, so closing does not reset the connection
};

}  // namespace clamscanner
