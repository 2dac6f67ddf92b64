#include "fcgi/statistics_gateway.h"

#include <algorithm>
#include <iterator>

#include "fcgi/client_headers.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

struct VerdictRow {
    LoginVerdict verdict;
    RpcError error;
};

// All but Welcome and WrongSignature, whose answer has more detail; a verdict that is not listed is an internal fault.
constexpr VerdictRow verdict_rows[] = {
    {LoginVerdict::Wrong, RpcError::InvalidCredentials},
    {LoginVerdict::Forbidden, RpcError::NoPermission},
    {LoginVerdict::Penalised, RpcError::Throttling},
    {LoginVerdict::Saturated, RpcError::Throttling},
    {LoginVerdict::Busy, RpcError::Throttling},
    {LoginVerdict::Held, RpcError::Throttling},
    {LoginVerdict::FilesHang, RpcError::Throttling},
    {LoginVerdict::NoKey, RpcError::KeyNotFound},
    {LoginVerdict::KeyDisabled, RpcError::KeyInactive},
    {LoginVerdict::TimeMalformed, RpcError::TimeStampFormat},
    {LoginVerdict::TimeExpired, RpcError::TimeStampExpired},
    {LoginVerdict::NonceUsed, RpcError::NonceUsed},
    {LoginVerdict::Throttled, RpcError::Throttling},
    {LoginVerdict::NoAction, RpcError::ActionNotFound},
};

RpcRefusal server_error(std::string_view inside) {
    static_cast<void>(with_reference("", inside));
    return RpcRefusal(RpcError::ServerError);
}

// What a step of a request's way is refused with; nothing when it goes well.
template <class Step>
std::optional<RpcRefusal> refusal_by(Step step) try {
    step();
    return std::nullopt;
} catch (const RpcRefusal& refusal) {
    return refusal;
} catch (const std::exception& fault) {
    return server_error(fault.what());
}

// "x-acs-date" is HTTP_X_ACS_DATE to a FastCGI program; two headers have variables with other names.
std::string header_of_request(const WebRequest& web, const std::string& name) {
    if (name == "content-type") return std::string(web.parameter("CONTENT_TYPE"));
    if (name == "content-length") return std::string(web.parameter("CONTENT_LENGTH"));
    std::string variable = "HTTP_";
    for (const char c : name) variable += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return std::string(web.parameter(variable.c_str()));
}

RpcRefusal refusal_of(const LoginAnswer& answer, const RpcRequest& request) {
    const auto* const row = std::ranges::find(verdict_rows, answer.verdict, &VerdictRow::verdict);
    if (row == std::end(verdict_rows)) return server_error("authd could not start the agent");
    // Permission is checked last of all: an unknown action is reported first.
    if (answer.verdict == LoginVerdict::Forbidden) static_cast<void>(action_of(request.action(), request.version()));
    return RpcRefusal(row->error);
}

}  // namespace

void StatisticsGateway::read(WebRequest& web, RpcMessage& message) const {
    message.method = web.parameter("REQUEST_METHOD");
    message.content_type = web.parameter("CONTENT_TYPE");
    message.header = [&web](const std::string& name) { return header_of_request(web, name); };
    // Copy no password: it stays in libfcgi's buffer, and is wiped there.
    const auto authorization = web.parameter("HTTP_AUTHORIZATION");
    message.authorization = authorization.substr(0, authorization.starts_with("ACS3") ? authorization.npos : 6);
    const auto state = web.read_body(config_.responder.max_body_bytes, message.body);
    if (state == BodyState::Late) throw RpcRefusal(RpcError::RequestTimeout);
    if (state == BodyState::WrongLength)
        throw RpcRefusal(400, "InvalidParameter", "The body does not have the announced length.", "Send it again.");
    if (state == BodyState::TooLong || message.query.size() > longest_target)
        throw RpcRefusal(RpcError::RequestTooLarge);
    if (message.method != "GET" && message.method != "POST") throw RpcRefusal(RpcError::ActionNotFound);
}

Reply StatisticsGateway::pass(WebRequest& web, const RpcMessage& message, const RpcRequest& request,
                              const std::string& host) {
    const std::string address(web.parameter("REMOTE_ADDR").substr(0, longest_address));
    Request for_agent{"POST", std::string(rpc_path), request.query_for_agent(), "", "", address, host};
    if (for_agent.query.size() > longest_target) throw RpcRefusal(RpcError::RequestTooLarge);
    AgentClient::Answer answer;
    try {
        if (request.authentication() == RpcAuthentication::Basic) {
            auto credentials = take_credentials(web);
            request.require_action();
            if (!credentials) throw RpcRefusal(RpcError::InvalidCredentials);
            const auto* action = find_action(request.action());
            // Browsers send a password by themselves, but never make a signature.
            if (action != nullptr && !action->only_reads && is_cross_site(provenance_of(web)))
                throw RpcRefusal(RpcError::NoPermission);
            answer = agents_.ask(
                Login{std::move(credentials->user), std::move(credentials->password), address, Purpose::Statistics},
                for_agent);
        } else if (request.authentication() == RpcAuthentication::None) {
            throw missing_parameter("AccessKeyId");
        } else {
            auto login = request.signed_login(message);
            login.address = address;
            answer = agents_.ask(login, for_agent);
            if (answer.refusal && answer.refusal->verdict == LoginVerdict::WrongSignature)
                throw RpcRefusal(RpcError::SignatureDoesNotMatch, RpcRequest::string_to_sign(login));
        }
    } catch (const RpcRefusal&) {
        throw;
    } catch (const std::exception& fault) {
        throw server_error(std::string("authd or an agent: ") + fault.what());
    }
    if (answer.refusal) throw refusal_of(*answer.refusal, request);
    if (!answer.reply) throw server_error("an agent gave no reply");
    if (!is_acceptable(*answer.reply, Purpose::Statistics))
        throw server_error("the reply has a status that an agent may not send");
    return *std::move(answer.reply);
}

Response StatisticsGateway::answer(WebRequest& web, const std::string& query) {
    const std::string host(web.parameter("HTTP_HOST").substr(0, longest_host));
    RpcMessage message;
    message.query = query;
    Reply reply;
    auto refusal = refusal_by([&] { read(web, message); });
    const auto format = RpcRequest::format_of(message);
    if (!refusal) refusal = refusal_by([&] { reply = pass(web, message, RpcRequest(message, format), host); });
    web.wipe_parameter("HTTP_AUTHORIZATION");
    Response response;
    response.status = refusal ? refusal->status() : reply.status;
    response.body = refusal ? rpc_failure(format, *refusal, host) : std::move(reply.body);
    response.content_type = format == RpcFormat::Xml ? "text/xml;charset=utf-8" : "application/json;charset=utf-8";
    return response;
}

}  // namespace clamscanner
