#include "fcgi/api_gateway.h"

#include <algorithm>
#include <iterator>

#include "fcgi/client_headers.h"
#include "fcgi/refusals.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/openapi.h"
#include "handlers/shared/rpc.h"
#include "handlers/shared/token_functions.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"

namespace clamscanner {
namespace {

constexpr std::uint32_t soon = 2;  // seconds until an internal fault may have passed

struct VerdictRow {
    LoginVerdict verdict;
    int status;
    std::uint32_t least_retry_seconds;
    const char* sentence;
};

// Everything but Welcome.
constexpr VerdictRow verdict_rows[] = {
    {LoginVerdict::Wrong, 401, 0, wrong_credentials},
    {LoginVerdict::Forbidden, 403, 0, "This account may not use the virus scanner."},
    {LoginVerdict::Penalised, 429, 1, "There were too many failed logins. Try again later."},
    {LoginVerdict::Saturated, 503, 1, "Too many logins are under way. Try again in a moment."},
    {LoginVerdict::Held, 503, 1, "The administrator is changing this account. Try again later."},
    {LoginVerdict::Busy, 503, 1, "This account has too many requests under way. Try again in a moment."},
    {LoginVerdict::TokenExpired, 401, 0, "This token has expired. Make another with the account's password."},
    {LoginVerdict::TokenSuspended, 401, 0,
     "This token is suspended: the account's password has been changed since it was made. Make another."},
    {LoginVerdict::TokenOfAnother, 401, 0,
     "This token was made for an earlier account of this name, or before its home moved. Make another."},
    {LoginVerdict::TokensOff, 403, 0, "The administrator has switched API tokens off. Log in with the password."},
};

constexpr const char* starting_or_gone = "The service is starting or gone. Try again in a moment.";

Request request_of(const WebRequest& web) {
    const auto target = web.parameter("REQUEST_URI");
    const auto question = std::min(target.find('?'), target.size());
    Request request;
    request.method = web.parameter("REQUEST_METHOD");
    request.path = target.substr(0, question);
    request.query = target.substr(std::min(question + 1, target.size()));
    request.content_type = web.parameter("CONTENT_TYPE");
    request.client_address = web.parameter("REMOTE_ADDR");
    return request;
}

Response openapi(const Request& request) {
    if (request.method != "GET" && request.method != "HEAD")
        throw Refusal(405, "This document is available by GET and HEAD only.", std::string(openapi_methods));
    return {200, std::string(openapi_document()), "", 0};
}

}  // namespace

Refusal unavailable(std::string_view inside) {
    return {503, with_reference(starting_or_gone, inside), "", soon};
}

void check_limits(const Request& request) {
    if (request.path.size() > longest_target || request.query.size() > longest_target)
        throw Refusal(414, "The address is too long.");
    if (!request.path.starts_with('/')) throw Refusal(400, "The address does not begin with a slash.");
    if (request.method.empty() || request.method.size() > longest_method)
        throw Refusal(400, "The method is not a valid HTTP method.");
    if (request.content_type.size() > longest_content_type) throw Refusal(415, "The type of the body is too long.");
    if (request.client_address.size() > longest_address) throw Refusal(400, "The client's address is too long.");
}

void refuse_cross_site(const WebRequest& web, const Function* function) {
    if ((function == nullptr || !function->only_reads) && is_cross_site(provenance_of(web)))
        throw Refusal(403, "This request was made by a page of another site.");
}

void refuse_login(const LoginAnswer& login, const char* wrong) {
    const auto* const row = std::ranges::find(verdict_rows, login.verdict, &VerdictRow::verdict);
    if (row == std::end(verdict_rows)) throw unavailable("authd could not start the agent");
    const auto* const sentence = login.verdict == LoginVerdict::Wrong ? wrong : row->sentence;
    throw Refusal(row->status, sentence, "", std::max(row->least_retry_seconds, login.retry_seconds));
}

ApiGateway::ApiGateway(const Settings& config, LongBodies& long_bodies)
    : config_(config), long_bodies_(long_bodies), agents_(config), statistics_(config, agents_), tokens_(config) {}

Response ApiGateway::answer(WebRequest& web) {
    auto request = request_of(web);
    if (request.path == rpc_path) return statistics_.answer(web, request.query);
    const auto address = address_of(request.path);
    try {
        if (address.module == tokens_module_name) return tokens_.answer(web, address, request);
        return pass(web, find_function(address.module, address.function), request);
    } catch (const Refusal& refusal) {
        return {refusal.status(), failure_envelope(address, refusal.what()), refusal.allow(), refusal.retry_seconds()};
    } catch (const std::exception& fault) {
        return {500, failure_envelope(address, with_reference("The server failed on this request.", fault.what())), "",
                0};
    }
}

Response ApiGateway::pass(WebRequest& web, const Function* function, Request& request) {
    auto credentials = take_any_credentials(web);
    const auto permit = read_body(web, function, request);
    check_limits(request);
    if (request.path == openapi_path) return openapi(request);
    if (!credentials.basic && !credentials.token) throw Refusal(401, wrong_credentials);
    refuse_cross_site(web, function);
    auto reply = ask(std::move(credentials), request);
    if (!reply) throw unavailable("an agent gave no reply");
    if (!is_acceptable(*reply, Purpose::Api))
        throw unavailable("the reply has a status or an Allow value that an agent may not send");
    return {reply->status, std::move(reply->body), std::move(reply->allow), 0};
}

std::optional<LongBodies::Permit> ApiGateway::read_body(WebRequest& web, const Function* function,
                                                        Request& request) const {
    const auto& limits = config_.responder;
    const bool may_be_long = function != nullptr && function->long_body;
    const bool is_long = may_be_long && web.announced_length().value_or(0) > limits.max_body_bytes;
    auto permit = is_long ? long_bodies_.take() : std::nullopt;
    switch (web.read_body(permit ? limits.max_disinfect_body_bytes : limits.max_body_bytes, request.body)) {
        case BodyState::Whole:
            return permit;
        case BodyState::TooLong:
            break;
        case BodyState::WrongLength:
            throw Refusal(400, "The body does not have the announced length.");
        case BodyState::Late:
            throw Refusal(408, "The request did not arrive in time.");
    }
    const auto limit = may_be_long ? limits.max_disinfect_body_bytes : limits.max_body_bytes;
    if (is_long && web.announced_length().value_or(0) <= limit)
        throw Refusal(503, "Too many large requests are under way. Try again in a moment.", "", soon);
    throw Refusal(413, "The body is too large. Accepted: at most " + std::to_string(limit) + " bytes.");
}

std::optional<Reply> ApiGateway::ask(ClientCredentials credentials, const Request& request) {
    AgentClient::Answer answer;
    auto& [basic, token] = credentials;
    try {
        if (token)
            answer = agents_.ask(TokenLogin{std::move(token->user), std::move(token->token), request.client_address},
                                 request);
        else
            answer = agents_.ask(
                Login{std::move(basic->user), std::move(basic->password), request.client_address, Purpose::Api},
                request);
    } catch (const std::exception& fault) {
        throw unavailable(std::string("authd or an agent: ") + fault.what());
    }
    if (answer.refusal) refuse_login(*answer.refusal, token ? wrong_token : wrong_credentials);
    return std::move(answer.reply);
}

}  // namespace clamscanner
