#include "fcgi/api_gateway.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "fcgi/client_headers.h"
#include "fcgi/refusals.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/openapi.h"
#include "handlers/shared/rpc.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"

namespace clamscanner {
namespace {

constexpr std::uint32_t soon = 2;  // seconds until an internal fault may have passed
// A reply of this length is written without waiting for the client.
constexpr std::size_t longest_unwaited_reply = 64 * 1024;
// What was done is told at greater length than it was asked for: at most so many times.
constexpr std::size_t most_growth = 32;

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
    {LoginVerdict::FilesHang, 503, 10,
     "The files of this account do not answer: the file system of its home directory, or one that is mounted there, "
     "hangs. Try again when it answers."},
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

template <class AnyLogin>
constexpr const char* wrong_of = std::is_same_v<AnyLogin, TokenLogin> ? wrong_token : wrong_credentials;

template <class AnyLogin, class Ask>
std::optional<Reply> reply_of(Ask ask) {
    auto answer = answer_to(ask);
    if (answer.refusal) refuse_login(*answer.refusal, wrong_of<AnyLogin>);
    return std::move(answer.reply);
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
    if (function != nullptr && function->only_reads) return;
    if (const auto header = cross_site_header(provenance_of(web)); !header.empty())
        throw Refusal(403, "This request was made by a page of another site, says its header " + std::string(header) +
                               ". What changes something is taken only from pages of this address, and from programs.");
}

void refuse_login(const LoginAnswer& login, const char* wrong) {
    const auto* const row = std::ranges::find(verdict_rows, login.verdict, &VerdictRow::verdict);
    if (row == std::end(verdict_rows)) throw unavailable("authd could not start the agent");
    const auto* const sentence = login.verdict == LoginVerdict::Wrong ? wrong : row->sentence;
    throw Refusal(row->status, sentence, "", std::max(row->least_retry_seconds, login.retry_seconds));
}

void require_whole(BodyState state) {
    if (state == BodyState::Late) throw Refusal(408, "The request did not arrive in time.");
    if (state != BodyState::Whole) throw Refusal(400, wrong_length);
}

ApiGateway::ApiGateway(const Settings& config, BodyLimits& bodies, DocumentRoots& roots, const Page& page)
    : config_(config),
      bodies_(bodies),
      roots_(roots),
      page_(page),
      agents_(config),
      statistics_(config, bodies, roots, agents_),
      tokens_(config, bodies, roots, agents_) {}

Response ApiGateway::answer(WebRequest& web) {
    auto request = request_of(web);
    if (request.path == rpc_path) return statistics_.answer(web, request.query);
    const auto address = address_of(request.path);
    try {
        if (const auto* const file = page_.find(request.path)) return show(web, *file, request);
        if (address.module == tokens_module_name) return tokens_.answer(web, address, request);
        return pass(web, find_function(address.module, address.function), request);
    } catch (const Refusal& refusal) {
        return {refusal.status(), failure_envelope(address, refusal.what()), refusal.allow(), refusal.retry_seconds()};
    } catch (const std::exception& fault) {
        return {500, failure_envelope(address, with_reference("The server failed on this request.", fault.what())), "",
                0};
    }
}

template <class AnyLogin>
std::optional<Reply> ApiGateway::ask(WebRequest& web, const Function* function, AnyLogin login, Reader& reader,
                                     Request& request) {
    if (web.has_body()) return ask_with_body(web, function, std::move(login), reader, request);
    return reply_of<AnyLogin>([&] { return agents_.ask(login, request); });
}

template <class AnyLogin>
std::optional<Reply> ApiGateway::ask_with_body(WebRequest& web, const Function* function, AnyLogin login,
                                               Reader& reader, Request& request) {
    const auto& limits = config_.responder;
    const auto length = web.announced_length();
    if (!length) throw Refusal(400, wrong_length);
    const auto limit =
        function != nullptr && function->long_body ? limits.max_disinfect_body_bytes : limits.max_body_bytes;
    if (*length > limit)
        throw Refusal(413, "The body is too large. Accepted: at most " + std::to_string(limit) + " bytes.");
    const auto owner = owner_of([&] { return agents_.check(login); }, wrong_of<AnyLogin>);
    login = {};
    const auto long_permit = *length > limits.max_body_bytes ? bodies_.long_ones.take(owner) : std::nullopt;
    if (*length > limits.max_body_bytes && !long_permit)
        throw Refusal(503, "Too many large requests are under way. Try again in a moment.", "", soon);
    read_body(web, limit, owner, request);
    // What was done must be told. So where that may be long, it is done only if it can be told.
    const bool tells_much =
        function != nullptr && function->long_body && request.body.size() > longest_unwaited_reply / most_growth;
    if (tells_much && !permit_long_reply(reader)) refuse_login({LoginVerdict::Busy, 0});
    return reply_of<AnyLogin>([&] { return agents_.ask_as_checked(request); });
}

// What browsers send along with the page's files is of no account here.
Response ApiGateway::show(WebRequest& web, const Page::File& file, Request& request) {
    static_cast<void>(take_any_credentials(web));
    if (!web.has_body()) require_whole(web.read_body(0, request.body));
    if (serves_an_account(web, roots_)) throw Refusal(403, serves_an_accounts_content);
    return page_.answer(file, web);
}

Response ApiGateway::pass(WebRequest& web, const Function* function, Request& request) {
    auto credentials = take_any_credentials(web);
    auto& [basic, token] = credentials;
    if (!web.has_body()) require_whole(web.read_body(0, request.body));
    check_limits(request);
    if (request.path == openapi_path) return openapi(request);
    if (serves_an_account(web, roots_)) throw Refusal(403, serves_an_accounts_content);
    if (!basic && !token) throw Refusal(401, wrong_credentials);
    refuse_cross_site(web, function);
    Reader reader{std::hash<std::string>{}(token ? token->user : basic->user), {}};
    auto reply =
        token ? ask(web, function, TokenLogin{std::move(token->user), std::move(token->token), request.client_address},
                    reader, request)
              : ask(web, function,
                    Login{std::move(basic->user), std::move(basic->password), request.client_address, Purpose::Api},
                    reader, request);
    if (!reply) throw unavailable("an agent gave no reply");
    if (!is_acceptable(*reply, Purpose::Api))
        throw unavailable("the reply has a status or an Allow value that an agent may not send");
    Response response{reply->status, std::move(reply->body), std::move(reply->allow), 0};
    if (response.body.size() <= longest_unwaited_reply) return response;
    // What was changed must be told.
    if (!permit_long_reply(reader) && function != nullptr && function->only_reads)
        refuse_login({LoginVerdict::Busy, 0});
    if (reader.permit) response.permit.emplace(std::move(*reader.permit));
    return response;
}

bool ApiGateway::permit_long_reply(Reader& reader) {
    if (reader.permit) return true;
    if (auto permit = bodies_.long_replies.take(reader.name, patience_for_bodies))
        reader.permit.emplace(std::move(*permit));
    return reader.permit.has_value();
}

void ApiGateway::read_body(WebRequest& web, std::size_t limit, BodyOwner owner, Request& request) {
    const auto permit = bodies_.under_way.take(owner, patience_for_bodies);
    if (!permit) refuse_login({LoginVerdict::Busy, 0});
    require_whole(web.read_body(limit, request.body));
}

}  // namespace clamscanner
