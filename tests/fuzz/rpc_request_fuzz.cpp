// Fuzzes a request of the statistics interface: method, query, headers and body, separated by empty lines. The message
// for authd must keep its limits, and the agent must get a valid query.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "fcgi/rpc_request.h"
#include "handlers/functions/arguments.h"
#include "jobs/shared/refusal.h"

namespace {

std::string take_until(std::string_view& input, std::string_view end) {
    const auto at = std::min(input.find(end), input.size());
    const std::string part(input.substr(0, at));
    input.remove_prefix(std::min(at + end.size(), input.size()));
    return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace clamscanner;
    std::string_view input(reinterpret_cast<const char*>(bytes), size);
    RpcMessage message;
    message.method = take_until(input, "\n\n");
    message.query = take_until(input, "\n\n");
    const auto lines = take_until(input, "\n\n");
    message.body = input;
    std::map<std::string, std::string> headers;
    for (std::string_view rest = lines; !rest.empty();) {
        const auto line = take_until(rest, "\n");
        const auto colon = std::min(line.find(':'), line.size());
        headers[line.substr(0, colon)] = line.substr(std::min(colon + 1, line.size()));
    }
    message.header = [&](const std::string& name) { return headers[name]; };
    message.content_type = headers["content-type"];
    message.authorization = headers["authorization"];
    try {
        const RpcRequest request(message);
        Arguments parameters;
        try {
            read_form(request.query_for_agent(), parameters);
        } catch (const Refusal&) {
        }
        if (request.authentication() != RpcAuthentication::V1 && request.authentication() != RpcAuthentication::V3)
            return 0;
        const auto login = request.signed_login(message);
        if (login.key_id.empty() || login.text.size() > longest_signed_text) std::abort();
        const auto fields = signed_fields(login.form, login.text);
        // authd permits the action that was signed; the agent is sent the action that the responder read. They must be
        // the same.
        const bool plain = message.method.find_first_of("&\n") == std::string::npos;
        if (plain && fields.action != request.action()) std::abort();
    } catch (const RpcRefusal&) {
    }
    return 0;
}
