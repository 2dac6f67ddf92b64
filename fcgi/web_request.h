// One FastCGI connection with its one request, by libfcgi: parameters, body, answer. Everything that comes is the web
// server's word or a client's. RAII around FCGX_Request, of which only this file knows the inside.
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
    // `read_seconds`: for the whole request to arrive, `watch` sees to it.
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

    // By the web server's word: 0 when it says nothing, empty when what it says is no number.
    [[nodiscard]] std::optional<std::size_t> announced_length() const;

    // Reads the body to its end, keeping what is allowed, so that the client gets to read the answer.
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
    bool whole_ = false;  // everything was read, so closing resets nothing
};

}  // namespace clamscanner
