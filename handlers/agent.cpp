// clamscanner-agent: answers one account's requests, as that account. authd starts it and gives it, over descriptor 3,
// one descriptor for each request; a responder is at the other end of that, and neither its bytes nor its patience is
// trusted. Ends when authd closes descriptor 3.
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <algorithm>
#include <optional>

#include "auth/checked.h"
#include "auth/config.h"
#include "auth/log.h"
#include "auth/service.h"
#include "auth/socket.h"
#include "handlers/jobs_client.h"
#include "handlers/router.h"

namespace clamscanner {
namespace {

constexpr int control = 3;
// Requests are answered one after the other, so each gets only as long as an honest responder needs: it has the whole
// request at hand before it asks for us.
constexpr auto request_patience = std::chrono::seconds(5);
constexpr auto reply_patience = std::chrono::seconds(15);

void refuse_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2]{};
    checked(::syscall(SYS_capget, &header, sets), "read the capabilities");
    const bool any = std::ranges::any_of(
        sets, [](const auto& set) { return (set.effective | set.permitted | set.inheritable) != 0; });
    if (any) die("this program must not have any capability");
}

// Empty when no whole request came.
std::optional<Reply> reply_to(const Caller& caller, Purpose purpose, int stream) {
    try {
        std::string frame;
        if (read_frame(stream, frame, longest_request_frame, Clock::now() + request_patience) != Transfer::Done)
            return std::nullopt;
        return answer_request(caller, purpose, decode<Request>(frame));
    } catch (const Malformed& fault) {
        log_line(Severity::Warning, std::string("a responder sent no request: ") + fault.what());
        return std::nullopt;
    }
}

void serve(const Caller& caller, Purpose purpose, int stream) {
    const auto reply = reply_to(caller, purpose, stream);
    // authd first: what this account may have under way is free again before its client can ask the next question.
    if (send_message(control, Served{}) != Sent::Yes || !reply) return;
    static_cast<void>(write_frame(stream, encode(*reply).bytes(), Clock::now() + reply_patience));
}

void serve_until_closed(const Caller& caller) {
    Packet packet;
    while (receive_packet(control, packet) == Got::Packet) {
        const auto purpose = decode<Serve>(packet.bytes).purpose;
        const auto stream = packet.only_descriptor();
        serve(caller, purpose, stream.get());
    }
}

std::string home_given() {
    const char* home = ::getenv("HOME");
    if (home == nullptr || home[0] != '/') throw ConfigError("HOME names no directory");
    return home;
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    name_this_program("clamscanner-agent");
    try {
        const auto config_file = config_file_of(argc, argv);
        refuse_root();
        refuse_capabilities();
        give_up_privileges();
        const auto config = read_config(config_file);
        const auto home = home_given();
        set_blocking(control, true);
        JobsClient jobs(config.jobs_socket());
        serve_until_closed({config, home, jobs});
        return 0;
    } catch (const std::exception& fault) {
        die(fault.what());
    }
}
