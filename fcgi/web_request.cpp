#include "fcgi/web_request.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr std::size_t chunk_size = 64 * 1024;
constexpr auto write_timeout = std::chrono::seconds(60);

}  // namespace

WebRequest::WebRequest(Watch& watch, UnreadBodies& unread, std::chrono::seconds read_seconds)
    : watch_(watch), unread_(unread), read_seconds_(read_seconds) {
    // Without a listener: libfcgi's own accept has no timeout, so we accept connections ourselves.
    FCGX_InitRequest(&request_, -1, 0);
}

WebRequest::~WebRequest() {
    end();
}

bool WebRequest::begin(UniqueFd connection) {
    read_deadline_ = Clock::now() + read_seconds_;
    watch_.begin(UniqueFd(checked(::fcntl(connection.get(), F_DUPFD_CLOEXEC, 3), "watch a connection")));
    watch_.limit_reading(read_deadline_);
    request_.ipcFd = connection.release();
    // Makes libfcgi use this connection instead of accepting one. What the web server sends then replaces the flag.
    request_.keepConnection = 1;
    // A detached one is closed at once. Otherwise libfcgi waits up to two seconds for the web server to close first.
    FCGX_Detach(&request_);
    whole_ = false;
    if (FCGX_Accept_r(&request_) < 0) {
        watch_.end();
        return false;
    }
    watch_.pause();
    // One request per connection, so that bytes left unread can never be taken for a second request.
    request_.keepConnection = 0;
    return true;
}

std::string_view WebRequest::parameter(const char* name) const {
    const char* value = FCGX_GetParam(name, request_.envp);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

void WebRequest::wipe_parameter(const char* name) {
    if (char* value = FCGX_GetParam(name, request_.envp); value != nullptr) ::explicit_bzero(value, ::strlen(value));
}

std::optional<std::size_t> WebRequest::announced_length() const {
    const auto text = parameter("CONTENT_LENGTH");
    std::size_t length = 0;
    if (text.empty()) return length;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return length;
}

bool WebRequest::has_body() const {
    return announced_length() != 0 || !parameter("HTTP_TRANSFER_ENCODING").empty();
}

BodyState WebRequest::read_body(std::size_t limit, std::string& body, std::chrono::seconds patience) {
    const auto announced = announced_length();
    if (!announced) return BodyState::WrongLength;
    if (*announced > limit) return BodyState::TooLong;
    const auto deadline = patience < read_seconds_ ? std::min(read_deadline_, Clock::now() + patience) : read_deadline_;
    watch_.limit_reading(deadline);
    // Memory grows with the bytes that came, not with the announced length.
    while (body.size() < *announced) {
        const std::size_t at = body.size();
        const std::size_t step = std::min(*announced - at, std::max(chunk_size, at));
        body.resize(at + step);
        const int got = FCGX_GetStr(body.data() + at, static_cast<int>(step), request_.in);
        body.resize(at + static_cast<std::size_t>(std::max(got, 0)));
        if (static_cast<std::size_t>(got) < step) break;
    }
    const bool is_all = is_at_end() && body.size() == *announced;
    watch_.pause();
    if (!whole_ && Clock::now() >= deadline) return BodyState::Late;
    return is_all ? BodyState::Whole : BodyState::WrongLength;
}

bool WebRequest::is_at_end() {
    const bool at_end = FCGX_GetChar(request_.in) == EOF;
    whole_ = at_end && FCGX_GetError(request_.in) == 0;
    return whole_;
}

void WebRequest::answer(const Response& response, const std::string& realm, bool with_body) {
    watch_.limit_writing(Clock::now() + write_timeout);
    const auto header = header_of(response, realm);
    FCGX_PutStr(header.data(), static_cast<int>(header.size()), request_.out);
    if (with_body) FCGX_PutStr(response.body.data(), static_cast<int>(response.body.size()), request_.out);
}

void WebRequest::end() {
    if (request_.in == nullptr) return;
    // Both now, under the watchdog: closed in this order, header, body and the end of the request are one write.
    FCGX_FClose(request_.err);
    FCGX_FClose(request_.out);
    auto connection = watch_.end();
    // Closes libfcgi's descriptor; the connection is open as long as ours is.
    FCGX_Finish_r(&request_);
    if (!whole_) unread_.take(std::move(connection), read_deadline_);
}

}  // namespace clamscanner
