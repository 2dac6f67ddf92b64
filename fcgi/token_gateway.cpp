#include "fcgi/token_gateway.h"

#include <algorithm>
#include <iterator>

#include "auth/base/utc_text.h"
#include "fcgi/client_headers.h"
#include "fcgi/refusals.h"
#include "handlers/functions/arguments.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/functions.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_arguments = 64 * 1024;  // of a body
constexpr std::string_view accepted_name = "at most 50 letters, digits, hyphens and underscores";
constexpr std::string_view accepted_time = "seconds since 1970 that are in the future, or 0: never";

// The order that a function stands for, by the arguments of the request.
struct Operation {
    std::string_view function;
    void (*read)(const Arguments& arguments, TokenOrder& order);
    void (*write)(JsonWriter& json, const TokenAnswer& answer);
};

std::string name_in(const Arguments& arguments, std::string_view argument) {
    const auto& name = arguments.text(argument, accepted_name);
    if (!is_token_name(name)) throw wrong_argument(argument, "is " + quoted(name), accepted_name);
    return name;
}

std::int64_t expiry_in(const Arguments& arguments) {
    const auto* const argument = arguments.find("expires_at");
    if (argument == nullptr) return expires_by_default;
    const bool is_scalar = argument->form == ArgumentForm::Text || argument->form == ArgumentForm::Number;
    const auto time = is_scalar ? whole_number(argument->text) : std::nullopt;
    if (!time || *time < expires_never || *time > latest_expiry)
        throw wrong_argument("expires_at", "is " + quoted(argument->text), accepted_time);
    return *time;
}

void read_creation(const Arguments& arguments, TokenOrder& order) {
    order.action = TokenAction::Create;
    order.name = name_in(arguments, "name");
    order.expires_at = expiry_in(arguments);
}

void read_full_creation(const Arguments& arguments, TokenOrder& order) {
    read_creation(arguments, order);
    order.scope = arguments.flag("readonly") ? TokenScope::ReadOnly : TokenScope::Full;
}

void read_limited_creation(const Arguments& arguments, TokenOrder& order) {
    read_creation(arguments, order);
    order.scope = TokenScope::Limited;
}

void read_list(const Arguments&, TokenOrder& order) {
    order.action = TokenAction::List;
}

void read_rename(const Arguments& arguments, TokenOrder& order) {
    order.action = TokenAction::Rename;
    order.name = name_in(arguments, "name");
    order.new_name = name_in(arguments, "new_name");
}

void read_revocation(const Arguments& arguments, TokenOrder& order) {
    order.action = TokenAction::Revoke;
    order.name = name_in(arguments, "name");
}

// Null where there is none.
void write_time(JsonWriter& json, std::string_view name, std::int64_t time) {
    json.key(name);
    if (time == 0) return json.null();
    json.number(static_cast<std::uint64_t>(time));
}

void write_text(JsonWriter& json, std::string_view name, const std::string& text) {
    json.key(name);
    text.empty() ? json.null() : json.text(text);
}

void write_made(JsonWriter& json, const TokenAnswer& answer) {
    json.begin_object();
    json.member("create_time", answer.created);
    write_time(json, "expires_at", answer.expires);
    json.member("token", answer.token.reveal());
    json.end_object();
}

void write_row(JsonWriter& json, const TokenRow& row) {
    static constexpr const char* states[] = {"valid", "expired", "suspended"};
    json.begin_object();
    json.member("create_time", row.created);
    write_time(json, "expires_at", row.expires);
    // Of a limited token, as names of our own: UAPI's are those of a panel's packages.
    json.key("features");
    json.texts(row.scope == TokenScope::Limited ? std::vector<std::string>{"list", "scan"}
                                                : std::vector<std::string>());
    write_time(json, "first_used", row.first_used);
    write_text(json, "first_used_from", row.first_used_from);
    json.member("has_full_access", row.scope == TokenScope::Limited ? 0 : 1);
    write_time(json, "last_used", row.last_used);
    write_text(json, "last_used_from", row.last_used_from);
    json.member("name", row.name);
    json.member("readonly", row.scope == TokenScope::ReadOnly ? 1 : 0);
    json.member("state", states[static_cast<std::size_t>(row.state)]);
    json.end_object();
}

void write_list(JsonWriter& json, const TokenAnswer& answer) {
    json.begin_array();
    for (const auto& row : answer.rows) write_row(json, row);
    json.end_array();
}

void write_null(JsonWriter& json, const TokenAnswer&) {
    json.null();
}

void write_revoked(JsonWriter& json, const TokenAnswer&) {
    json.number(1);
}

constexpr Operation operations[] = {
    {"create_full_access", read_full_creation, write_made},
    {"create_limited", read_limited_creation, write_made},
    {"list", read_list, write_list},
    {"rename", read_rename, write_null},
    {"revoke", read_revocation, write_revoked},
};
static_assert(std::ranges::equal(operations, token_functions, {}, &Operation::function, &Function::name),
              "every function has an operation, and in the same order");

// What is not done; empty when it is.
std::optional<Refusal> refusal_of(const TokenOrder& order, const TokenAnswer& answer) {
    switch (answer.result) {
        case TokenResult::Done:
            return std::nullopt;
        case TokenResult::NoSuchToken:
            // As in UAPI: what is to be revoked is gone.
            if (order.action == TokenAction::Revoke) return std::nullopt;
            return wrong_argument("name", "is " + quoted(order.name) + ", which no token is called",
                                  "a name that the function list gives");
        case TokenResult::NameTaken: {
            const bool is_new = order.action == TokenAction::Rename;
            return wrong_argument(
                is_new ? "new_name" : "name",
                "is " + quoted(is_new ? order.new_name : order.name) + ", which another token is called",
                "a name that the function list does not give");
        }
        case TokenResult::TooMany:
            return Refusal(200, "This account has " + std::to_string(answer.most) +
                                    " tokens, which is as many as it may have. Revoke one first.");
        case TokenResult::InThePast:
            return wrong_argument("expires_at", "is " + quoted(std::to_string(order.expires_at)), accepted_time);
        case TokenResult::NeedsPassword:
            return Refusal(403, "A token cannot make a token: log in with the account's password for that.");
        case TokenResult::NeedsFullAccess:
            return Refusal(403,
                           "This token may not do that. It needs the password, or a token made with "
                           "create_full_access.");
        case TokenResult::Damaged:
            return Refusal(200,
                           "The file of this account's tokens is damaged, so none is valid and nothing is changed. "
                           "The administrator has to look at it.");
        case TokenResult::Fault:
            break;
    }
    return unavailable("authd could not carry out an order about tokens");
}

TokenOrder order_of(ClientCredentials credentials, const Request& request) {
    TokenOrder order;
    order.address = request.client_address;
    order.is_token = credentials.token.has_value();
    if (credentials.token) {
        order.user = std::move(credentials.token->user);
        order.secret = std::move(credentials.token->token);
    } else if (credentials.basic) {
        order.user = std::move(credentials.basic->user);
        order.secret = std::move(credentials.basic->password);
    } else {
        throw Refusal(401, wrong_credentials);
    }
    return order;
}

const Function& function_of(const Address& address, const std::string& method) {
    const auto* const function = std::ranges::find(token_functions, address.function, &Function::name);
    if (function == std::end(token_functions))
        throw Refusal(404, "There is no function " + quoted(address.function) + " in the module " +
                               quoted(address.module) + " here.");
    if (!takes_method(*function, method))
        throw Refusal(405,
                      "The function " + quoted(function->name) + " does not take the method " + quoted(method) +
                          ". Accepted: " + std::string(function->methods) + ".",
                      std::string(function->methods));
    return *function;
}

Answer success(const Operation& operation, const TokenOrder& order, const TokenAnswer& answered) {
    Answer answer;
    JsonWriter json(answer.data);
    operation.write(json, answered);
    if (order.action == TokenAction::Create && order.expires_at == expires_by_default)
        answer.messages.push_back("This token expires on " + utc_text(answered.expires, "%F") +
                                  ", since no expires_at was given. With expires_at=0 one never expires.");
    return answer;
}

}  // namespace

Response TokenGateway::answer(WebRequest& web, const Address& address, Request& request) {
    auto credentials = take_any_credentials(web);
    if (!web.has_body()) require_whole(web.read_body(0, request.body));
    check_limits(request);
    if (serves_an_account(web, roots_)) throw Refusal(403, serves_an_accounts_content);
    auto order = order_of(std::move(credentials), request);
    const auto& function = function_of(address, request.method);
    refuse_cross_site(web, &function);
    if (web.has_body()) read_body(web, order, request);
    const auto& operation = operations[&function - token_functions];
    operation.read(arguments_of(request), order);
    const auto answered = ask(order);
    if (answered.verdict != LoginVerdict::Welcome)
        refuse_login({answered.verdict, answered.retry_seconds}, order.is_token ? wrong_token : wrong_credentials);
    if (const auto refusal = refusal_of(order, answered)) throw Refusal(*refusal);
    return {200, envelope(address, success(operation, order, answered)), "", 0};
}

void TokenGateway::read_body(WebRequest& web, const TokenOrder& order, Request& request) {
    const auto limit = std::min<std::size_t>(config_.responder.max_body_bytes, longest_arguments);
    const auto length = web.announced_length();
    if (!length) throw Refusal(400, wrong_length);
    if (*length > limit)
        throw Refusal(413, "The body is too large. Accepted: at most " + std::to_string(limit) + " bytes.");
    const auto owner = owner_of([&] { return check(order); }, order.is_token ? wrong_token : wrong_credentials);
    const auto permit = bodies_.under_way.take(owner, patience_for_bodies);
    if (!permit) refuse_login({LoginVerdict::Busy, 0});
    require_whole(web.read_body(limit, request.body));
}

// The order itself brings them again: then they are remembered.
std::optional<LoginAnswer> TokenGateway::check(const TokenOrder& order) {
    if (order.is_token) return logins_.check(TokenLogin{order.user, Secret(order.secret.reveal()), order.address});
    return logins_.check(Login{order.user, Secret(order.secret.reveal()), order.address, Purpose::Api});
}

TokenAnswer TokenGateway::ask(const TokenOrder& order) try {
    return authd_.ask(order);
} catch (const std::exception& fault) {
    throw unavailable(std::string("authd: ") + fault.what());
}

}  // namespace clamscanner
