// The web server's side of FastCGI, as little of it as the tests need: one request on one connection.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "auth/base/checked.h"
#include "auth/base/socket.h"

namespace clamscanner {

using Parameters = std::map<std::string, std::string>;

struct WebAnswer {
    bool ended = false;  // the end of the request came, and not only the end of the connection
    int status = 0;
    std::string header;
    std::string body;
};

enum class Record : std::uint8_t { Begin = 1, Abort = 2, End = 3, Params = 4, Stdin = 5, Stdout = 6 };

inline std::string record(Record type, std::string_view content) {
    const char header[] = {1,
                           static_cast<char>(type),
                           0,
                           1,
                           static_cast<char>(content.size() >> 8),
                           static_cast<char>(content.size() & 0xff),
                           0,
                           0};
    return std::string(header, sizeof header).append(content);
}

// As many records of the type as the content needs, and the empty one that ends it.
inline std::string stream(Record type, std::string_view content) {
    std::string records;
    for (; !content.empty(); content.remove_prefix(std::min<std::size_t>(content.size(), 0xffff)))
        records += record(type, content.substr(0, 0xffff));
    return records += record(type, "");
}

inline std::string begin_record(bool keep_connection = false) {
    const char content[] = {0, 1, static_cast<char>(keep_connection ? 1 : 0), 0, 0, 0, 0, 0};
    return record(Record::Begin, {content, sizeof content});
}

inline std::string encoded(const Parameters& parameters) {
    std::string bytes;
    const auto add_length = [&](std::size_t length) {
        for (const int shift : {24, 16, 8, 0})
            bytes += static_cast<char>((length >> shift & 0xff) | (shift == 24 ? 0x80U : 0U));
    };
    for (const auto& [name, value] : parameters) {
        add_length(name.size());
        add_length(value.size());
        bytes += name + value;
    }
    return bytes;
}

class WebConnection {
 public:
    explicit WebConnection(const std::string& path) : socket_(connect_to(path, SOCK_STREAM)) {}

    // False when the other side has closed already.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void stop_sending() { checked(::shutdown(socket_.get(), SHUT_WR), "stop sending"); }

    // Everything up to the end of the connection.
    WebAnswer receive() {
        std::string bytes;
        char chunk[64 * 1024];
        for (;;) {
            const auto got = ::recv(socket_.get(), chunk, sizeof chunk, 0);
            if (got <= 0) break;
            bytes.append(chunk, static_cast<std::size_t>(got));
        }
        return answer_in(bytes);
    }

 private:
    static WebAnswer answer_in(std::string_view bytes) {
        WebAnswer answer;
        std::string output;
        while (bytes.size() >= 8) {
            const auto byte = [&](std::size_t i) {
                return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
            };
            const auto type = static_cast<Record>(bytes[1]);
            const std::size_t length = byte(4) << 8 | byte(5);
            if (type == Record::Stdout) output += bytes.substr(8, length);
            if (type == Record::End) answer.ended = true;
            bytes.remove_prefix(std::min(8 + length + byte(6), bytes.size()));
        }
        const auto end = output.find("\r\n\r\n");
        if (end == std::string::npos) return answer;
        answer.header = output.substr(0, end + 2);
        answer.body = output.substr(end + 4);
        answer.status = std::stoi(answer.header.substr(answer.header.find("Status: ") + 8));
        return answer;
    }
    UniqueFd socket_;
};

}  // namespace clamscanner
