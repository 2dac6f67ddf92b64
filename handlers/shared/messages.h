// The messages between a responder and an agent: one Request, one Reply, each a frame on a pipe of its own
// (auth/base/request_pipes.h). No header of the client's is passed on beyond these fields; the responder does not trust
// the reply.
#pragma once

#include <cstdint>
#include <string>

#include "auth/base/limits.h"

namespace clamscanner {

enum class RequestMessage : std::uint16_t { Request = 20, Reply = 21 };

inline constexpr std::size_t longest_method = 16;
inline constexpr std::size_t longest_target = 64 * 1024;
inline constexpr std::size_t longest_content_type = 1024;
inline constexpr std::size_t longest_host = 512;
inline constexpr std::size_t longest_body = 32 * 1024 * 1024;
inline constexpr std::size_t longest_reply_body = 34 * 1024 * 1024;
inline constexpr std::size_t longest_request_frame = longest_body + longest_target + 4096;
inline constexpr std::size_t longest_reply_frame = longest_reply_body + 4096;

struct Request {
    static constexpr auto type = RequestMessage::Request;
    std::string method;
    std::string path;   // as sent, percent-encoding and all, without the query
    std::string query;  // without the question mark
    std::string content_type;
    std::string body;
    std::string client_address;
    std::string host;  // as the client named it; of the statistics interface only
    void fields(auto& wire) {
        wire.text(method, longest_method);
        wire.text(path, longest_target);
        wire.text(query, longest_target);
        wire.text(content_type, longest_content_type);
        wire.text(body, longest_body);
        wire.text(client_address, longest_address);
        wire.text(host, longest_host);
    }
    bool operator==(const Request&) const = default;
};

struct Reply {
    static constexpr auto type = RequestMessage::Reply;
    std::uint16_t status = 500;  // of HTTP
    std::string allow;           // the Allow header of a 405; capital letters, commas and blanks only
    std::string body;            // JSON; of the statistics interface XML if that was asked for
    void fields(auto& wire) {
        wire.number(status);
        wire.text(allow, 64);
        wire.text(body, longest_reply_body);
    }
};

}  // namespace clamscanner
