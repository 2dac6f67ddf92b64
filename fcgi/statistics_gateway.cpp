#include "fcgi/statistics_gateway.h"

#include <algorithm>
#include <iterator>

#include "auth/base/sha256.h"
#include "fcgi/client_headers.h"
#include "handlers/shared/media_type.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

// For a body whose sender cannot be known before it is there.
constexpr std::chrono::seconds unknown_owners_patience{5};

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
    // Permission is checked last of all: an unknown action is reported first, unless it is in a body that has yet to
    // come.
    if (answer.verdict == LoginVerdict::Forbidden && !request.action().empty())
        static_cast<void>(action_of(request.action(), request.version()));
    return RpcRefusal(row->error);
}

[[noreturn]] void refuse_login(const LoginAnswer& answer, const SignedLogin* signed_login, const RpcRequest& request) {
    if (answer.verdict == LoginVerdict::WrongSignature && signed_login != nullptr)
        throw RpcRefusal(RpcError::SignatureDoesNotMatch, RpcRequest::string_to_sign(*signed_login));
    throw refusal_of(answer, request);
}

RpcMessage head_of(const WebRequest& web, const std::string& query) {
    RpcMessage message;
    message.method = web.parameter("REQUEST_METHOD");
    message.query = query;
    message.content_type = web.parameter("CONTENT_TYPE");
    message.header = [&web](const std::string& name) { return header_of_request(web, name); };
    // Copy no password: it stays in libfcgi's buffer, and is wiped there.
    const auto authorization = web.parameter("HTTP_AUTHORIZATION");
    message.authorization = authorization.substr(0, authorization.starts_with("ACS3") ? authorization.npos : 6);
    return message;
}

// Whether the signature can be verified only with the body.
bool signs_the_form(const RpcMessage& message) {
    const auto authentication = RpcRequest(message).authentication();
    return message.has_form() && (authentication == RpcAuthentication::V1 || authentication == RpcAuthentication::None);
}

// Browsers send a password by themselves, but never make a signature.
void refuse_cross_site(const WebRequest& web, const RpcRequest& request) {
    if (request.authentication() != RpcAuthentication::Basic) return;
    request.require_action();
    const auto* action = find_action(request.action());
    if (action == nullptr || action->only_reads) return;
    if (const auto header = cross_site_header(provenance_of(web)); !header.empty())
        throw RpcRefusal(RpcError::NoPermission,
                         ": the request was made by a page of another site, says its header " + std::string(header));
}

std::variant<Login, SignedLogin> login_of(WebRequest& web, const RpcMessage& message, const RpcRequest& request) {
    const std::string address(web.parameter("REMOTE_ADDR").substr(0, longest_address));
    if (request.authentication() == RpcAuthentication::None) throw missing_parameter("AccessKeyId");
    if (request.authentication() != RpcAuthentication::Basic) {
        auto login = request.signed_login(message);
        login.address = address;
        return login;
    }
    auto credentials = take_credentials(web);
    if (!credentials) throw RpcRefusal(RpcError::InvalidCredentials);
    return Login{std::move(credentials->user), std::move(credentials->password), address, Purpose::Statistics};
}

Request request_for_agent(const WebRequest& web, const RpcRequest& request, const std::string& host) {
    const std::string address(web.parameter("REMOTE_ADDR").substr(0, longest_address));
    Request for_agent{"POST", std::string(rpc_path), request.query_for_agent(), "", "", address, host};
    if (for_agent.query.size() > longest_target) throw RpcRefusal(RpcError::RequestTooLarge);
    return for_agent;
}

// What authd or an agent answers to `ask`; their faults are ours.
template <class Ask>
auto answer_to(Ask ask) {
    try {
        return ask();
    } catch (const std::exception& fault) {
        throw server_error(std::string("authd or an agent: ") + fault.what());
    }
}

// By version 3, once the body is there.
void check_digest(RpcMessage& message, const RpcRequest& request) {
    const auto claimed = *std::exchange(message.claimed_digest, std::nullopt);
    if (request.authentication() == RpcAuthentication::V3 && claimed != sha256_hex(message.body))
        throw RpcRefusal(RpcError::SignatureDoesNotMatch, RpcRequest::string_to_sign(request.signed_login(message)));
}

}  // namespace

void StatisticsGateway::read_body(WebRequest& web, BodyOwner owner, RpcMessage& message) {
    const auto permit = web.has_body() ? bodies_.under_way.take(owner, patience_for_bodies) : std::nullopt;
    if (web.has_body() && !permit) throw RpcRefusal(RpcError::Throttling);
    const auto patience = owner == unknown_owner ? unknown_owners_patience : std::chrono::seconds::max();
    const auto state = web.read_body(config_.responder.max_body_bytes, message.body, patience);
    if (state == BodyState::Late) throw RpcRefusal(RpcError::RequestTimeout);
    if (state == BodyState::TooLong) throw RpcRefusal(RpcError::RequestTooLarge);
    if (state == BodyState::WrongLength)
        throw RpcRefusal(400, "InvalidParameter", "The body does not have the announced length.", "Send it again.");
}

Reply StatisticsGateway::pass(WebRequest& web, RpcMessage& message, const std::string& host) {
    if (serves_an_account(web, roots_))
        throw RpcRefusal(RpcError::NoPermission, std::string(": ") + serves_an_accounts_content);
    if (message.query.size() > longest_target) throw RpcRefusal(RpcError::RequestTooLarge);
    if (message.method != "GET" && message.method != "POST") throw RpcRefusal(RpcError::ActionNotFound);
    const bool body_first = !web.has_body() || signs_the_form(message);
    if (body_first)
        read_body(web, unknown_owner, message);
    else
        message.claimed_digest = lower_case(message.header("x-acs-content-sha256"));
    const RpcRequest head(message);
    if (body_first) refuse_cross_site(web, head);
    const auto login = login_of(web, message, head);
    AgentClient::Answer answer;
    if (body_first) {
        answer = ask(login, request_for_agent(web, head, host));
        if (answer.refusal) refuse_login(*answer.refusal, std::get_if<SignedLogin>(&login), head);
    } else {
        read_body(web, check(login, head), message);
        check_digest(message, head);
        const RpcRequest whole(message);
        refuse_cross_site(web, whole);
        const auto for_agent = request_for_agent(web, whole, host);
        answer = answer_to([&] { return agents_.ask_as_checked(for_agent); });
        if (answer.refusal) throw refusal_of(*answer.refusal, whole);
    }
    if (!answer.reply) throw server_error("an agent gave no reply");
    if (!is_acceptable(*answer.reply, Purpose::Statistics))
        throw server_error("the reply has a status that an agent may not send");
    return *std::move(answer.reply);
}

AgentClient::Answer StatisticsGateway::ask(const AnyLogin& login, const Request& request) {
    return answer_to([&] { return std::visit([&](const auto& one) { return agents_.ask(one, request); }, login); });
}

BodyOwner StatisticsGateway::check(const AnyLogin& login, const RpcRequest& request) {
    const auto answer =
        answer_to([&] { return std::visit([&](const auto& one) { return agents_.check(one); }, login); });
    if (!answer) throw server_error("authd gave no answer");
    if (answer->verdict != LoginVerdict::Welcome) refuse_login(*answer, std::get_if<SignedLogin>(&login), request);
    return answer->uid;
}

Response StatisticsGateway::answer(WebRequest& web, const std::string& query) {
    const std::string host(web.parameter("HTTP_HOST").substr(0, longest_host));
    auto message = head_of(web, query);
    Reply reply;
    const auto refusal = refusal_by([&] { reply = pass(web, message, host); });
    const auto format = RpcRequest::format_of(message);
    web.wipe_parameter("HTTP_AUTHORIZATION");
    Response response;
    response.status = refusal ? refusal->status() : reply.status;
    response.body = refusal ? rpc_failure(format, *refusal, host) : std::move(reply.body);
    response.content_type = format == RpcFormat::Xml ? "text/xml;charset=utf-8" : "application/json;charset=utf-8";
    return response;
}

}  // namespace clamscanner
