// Requests over HTTPS in the event loop, by libcurl's multi interface. The other side is not trusted: it must prove by
// its certificate that it is the host of the URL, and its answer has limits on length, headers and time. Nothing is
// followed elsewhere, no proxy and nothing of the environment is used.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/base/event_loop.h"

namespace clamscanner {

struct HttpsRequest {
    std::string url;
    std::vector<std::string> headers;
    std::size_t longest_answer = 0;
    std::chrono::seconds patience{30};  // for the whole of it
};

struct HttpsAnswer {
    std::string fault;  // a sentence; then there is no answer
    bool too_long = false;
    long status = 0;
    std::string body;
    std::optional<std::int64_t> their_time;  // of the header Date, in seconds since the epoch
};

class HttpsClient {
 public:
    // `ca_file`: of the certificates that are believed; "": the system's. `loop` must outlive this.
    HttpsClient(EventLoop& loop, std::string ca_file);
    ~HttpsClient();
    HttpsClient(const HttpsClient&) = delete;
    HttpsClient& operator=(const HttpsClient&) = delete;

    // A request under way. When it is destroyed, the request ends, and `done` is not called any more.
    class Exchange;
    struct End {
        void operator()(Exchange* exchange) const noexcept;
    };
    using Pending = std::unique_ptr<Exchange, End>;
    // `done` is called once, by the loop, after this has returned; it may destroy the Pending.
    [[nodiscard]] Pending post(const HttpsRequest& request, std::function<void(HttpsAnswer answer)> done);

 private:
    struct Curl;  // keeps libcurl's headers out of here
    void watch(int socket, int wanted);
    void set_timer(long milliseconds);
    void act(int socket, int events);
    void finish_ended();

    EventLoop& loop_;
    const std::string ca_file_;
    std::unique_ptr<Curl> curl_;
    std::map<int, EventLoop::Watch> watches_;
    EventLoop::Timer timer_;
};

}  // namespace clamscanner
