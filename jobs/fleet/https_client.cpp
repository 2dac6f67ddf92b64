#include "jobs/fleet/https_client.h"

#include <curl/curl.h>

#include <stdexcept>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_header_bytes = 16 * 1024;
constexpr long connect_seconds = 10;
constexpr long most_kept_connections = 5000;  // each machine's, between one look at it and the next

void require(CURLcode result, const char* attempted) {
    if (result != CURLE_OK) throw std::runtime_error(std::string(attempted) + ": " + ::curl_easy_strerror(result));
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
    require(::curl_easy_setopt(easy, option, value), "prepare a request");
}

// For the administrator. libcurl's own words name a certificate's fault best; they may have bytes out of it.
std::string sentence_of(CURLcode result, const char* details) {
    const auto said = printable(details[0] != '\0' ? details : ::curl_easy_strerror(result));
    switch (result) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return "its name cannot be resolved";
        case CURLE_COULDNT_CONNECT:
            return "nobody listens there";
        case CURLE_OPERATION_TIMEDOUT:
            return "it does not answer in time";
        case CURLE_PEER_FAILED_VERIFICATION:
            return "its certificate is not accepted: " + said;
        default:
            return said;
    }
}

}  // namespace

struct HttpsClient::Curl {
    Curl() {
        require(::curl_global_init(CURL_GLOBAL_DEFAULT), "begin with libcurl");
        multi = ::curl_multi_init();
        if (multi == nullptr) throw std::runtime_error("begin with libcurl: no memory");
    }
    ~Curl() { ::curl_multi_cleanup(multi); }
    Curl(const Curl&) = delete;
    Curl& operator=(const Curl&) = delete;
    CURLM* multi = nullptr;
};

class HttpsClient::Exchange {
 public:
    Exchange(CURLM* multi, const HttpsRequest& request, const std::string& ca_file,
             std::function<void(HttpsAnswer)> done)
        : multi_(multi), longest_(request.longest_answer), done_(std::move(done)), easy_(::curl_easy_init()) {
        if (!easy_) throw std::runtime_error("prepare a request: no memory");
        for (const auto& header : request.headers) add_header(header);
        add_header("Expect:");  // no question whether the body, which is empty, may come
        secure(ca_file);
        set(easy(), CURLOPT_URL, request.url.c_str());
        set(easy(), CURLOPT_HTTPHEADER, headers_.get());
        set(easy(), CURLOPT_POST, 1L);
        set(easy(), CURLOPT_POSTFIELDS, "");
        set(easy(), CURLOPT_CONNECTTIMEOUT, connect_seconds);
        set(easy(), CURLOPT_TIMEOUT, static_cast<long>(request.patience.count()));
        set(easy(), CURLOPT_NOSIGNAL, 1L);
        set(easy(), CURLOPT_ERRORBUFFER, error_);
        set(easy(), CURLOPT_PRIVATE, this);
        set(easy(), CURLOPT_WRITEFUNCTION, &take_body);
        set(easy(), CURLOPT_WRITEDATA, this);
        set(easy(), CURLOPT_HEADERFUNCTION, &take_header);
        set(easy(), CURLOPT_HEADERDATA, this);
        if (::curl_multi_add_handle(multi_, easy()) != CURLM_OK) throw std::runtime_error("begin a request");
    }
    ~Exchange() { ::curl_multi_remove_handle(multi_, easy()); }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    void finish(CURLcode result) {
        if (result != CURLE_OK && !answer_.too_long) answer_.fault = sentence_of(result, error_);
        if (answer_.too_long) answer_.fault = "its answer is too long";
        ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &answer_.status);
        const auto done = std::move(done_);  // which may destroy this
        done(std::move(answer_));
    }

 private:
    [[nodiscard]] CURL* easy() const { return easy_.get(); }

    void add_header(const std::string& header) {
        auto* longer = ::curl_slist_append(headers_.get(), header.c_str());
        if (longer == nullptr) throw std::runtime_error("prepare a request: no memory");
        static_cast<void>(headers_.release());
        headers_.reset(longer);
    }

    // TLS to the very host of the URL, and nothing else.
    void secure(const std::string& ca_file) const {
        set(easy(), CURLOPT_PROTOCOLS_STR, "https");
        set(easy(), CURLOPT_FOLLOWLOCATION, 0L);
        set(easy(), CURLOPT_PROXY, "");
        set(easy(), CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        set(easy(), CURLOPT_SSL_VERIFYPEER, 1L);
        set(easy(), CURLOPT_SSL_VERIFYHOST, 2L);
        set(easy(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        if (ca_file.empty()) return;
        set(easy(), CURLOPT_CAINFO, ca_file.c_str());
        set(easy(), CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }

    static std::size_t take_body(const char* bytes, std::size_t /*one*/, std::size_t size, void* self) noexcept {
        auto& exchange = *static_cast<Exchange*>(self);
        exchange.answer_.too_long = exchange.answer_.body.size() + size > exchange.longest_;
        if (exchange.answer_.too_long) return 0;  // ends the request
        exchange.answer_.body.append(bytes, size);
        return size;
    }

    static std::size_t take_header(const char* bytes, std::size_t /*one*/, std::size_t size, void* self) noexcept {
        auto& exchange = *static_cast<Exchange*>(self);
        exchange.header_bytes_ += size;
        exchange.answer_.too_long = exchange.header_bytes_ > most_header_bytes;
        if (exchange.answer_.too_long) return 0;
        const std::string line(bytes, size);
        if (::curl_strnequal(line.c_str(), "date:", 5) != 0)
            if (const auto time = ::curl_getdate(line.c_str() + 5, nullptr); time != -1)
                exchange.answer_.their_time = time;
        return size;
    }

    struct Cleanup {
        void operator()(CURL* easy) const noexcept { ::curl_easy_cleanup(easy); }
        void operator()(curl_slist* list) const noexcept { ::curl_slist_free_all(list); }
    };
    CURLM* multi_;
    const std::size_t longest_;
    std::function<void(HttpsAnswer)> done_;
    std::unique_ptr<curl_slist, Cleanup> headers_;  // destroyed after the handle that uses them
    char error_[CURL_ERROR_SIZE] = "";
    HttpsAnswer answer_;
    std::size_t header_bytes_ = 0;
    std::unique_ptr<CURL, Cleanup> easy_;
};

void HttpsClient::End::operator()(Exchange* exchange) const noexcept {
    delete exchange;
}

HttpsClient::HttpsClient(EventLoop& loop, std::string ca_file)
    : loop_(loop), ca_file_(std::move(ca_file)), curl_(std::make_unique<Curl>()) {
    const auto on_socket = [](CURL*, curl_socket_t socket, int wanted, void* self, void*) {
        static_cast<HttpsClient*>(self)->watch(socket, wanted);
        return 0;
    };
    const auto on_timer = [](CURLM*, long milliseconds, void* self) {
        static_cast<HttpsClient*>(self)->set_timer(milliseconds);
        return 0;
    };
    using OnSocket = int (*)(CURL*, curl_socket_t, int, void*, void*);
    using OnTimer = int (*)(CURLM*, long, void*);
    ::curl_multi_setopt(curl_->multi, CURLMOPT_SOCKETFUNCTION, static_cast<OnSocket>(on_socket));
    ::curl_multi_setopt(curl_->multi, CURLMOPT_SOCKETDATA, this);
    ::curl_multi_setopt(curl_->multi, CURLMOPT_TIMERFUNCTION, static_cast<OnTimer>(on_timer));
    ::curl_multi_setopt(curl_->multi, CURLMOPT_TIMERDATA, this);
    ::curl_multi_setopt(curl_->multi, CURLMOPT_MAXCONNECTS, most_kept_connections);
}

HttpsClient::~HttpsClient() {
    // It closes what it has open, and tells us so.
    curl_.reset();
}

HttpsClient::Pending HttpsClient::post(const HttpsRequest& request, std::function<void(HttpsAnswer)> done) {
    return Pending(new Exchange(curl_->multi, request, ca_file_, std::move(done)));
}

void HttpsClient::watch(int socket, int wanted) {
    watches_.erase(socket);
    if (wanted == CURL_POLL_REMOVE) return;
    const std::uint32_t events = ((wanted & CURL_POLL_IN) != 0 ? std::uint32_t{EPOLLIN} : 0U) |
                                 ((wanted & CURL_POLL_OUT) != 0 ? std::uint32_t{EPOLLOUT} : 0U);
    watches_[socket] = loop_.watch(socket, events, [this, socket](std::uint32_t ready) {
        act(socket, ((ready & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) | ((ready & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                        ((ready & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0));
    });
}

void HttpsClient::set_timer(long milliseconds) {
    timer_ = {};
    if (milliseconds < 0) return;
    timer_ = loop_.after(std::chrono::milliseconds(milliseconds), [this] { act(CURL_SOCKET_TIMEOUT, 0); });
}

void HttpsClient::act(int socket, int events) {
    int running = 0;
    ::curl_multi_socket_action(curl_->multi, socket, events, &running);
    finish_ended();
}

void HttpsClient::finish_ended() {
    int left = 0;
    while (const auto* message = ::curl_multi_info_read(curl_->multi, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto result = message->data.result;
        Exchange* exchange = nullptr;
        ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        exchange->finish(result);
    }
}

}  // namespace clamscanner
