#include "handlers/shared/rpc.h"

#include <algorithm>
#include <iterator>

#include "handlers/shared/xml_writer.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/uuid.h"

namespace clamscanner {
namespace {

struct ErrorRow {
    RpcError error;
    int status;
    const char* code;
    const char* message;
    const char* advice;
};

// The codes and messages are the interface's own; the advice is ours.
constexpr ErrorRow errors[] = {
    {RpcError::NoPermission, 403, "NoPermission", "caller has no permission",
     "Ask the administrator whether this account may use the virus scanner."},
    {RpcError::ServerError, 500, "ServerError", "ServerError", "Try again in a moment."},
    {RpcError::KeyNotFound, 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.",
     "Check the access key id; the administrator makes keys with clamscanner-keys."},
    {RpcError::KeyInactive, 400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.",
     "Ask the administrator to enable the key or to make another."},
    {RpcError::SignatureDoesNotMatch, 400, "SignatureDoesNotMatch",
     "Specified signature is not matched with our calculation. server string to sign is:",
     "Check the access key secret, and that no proxy changes the request."},
    {RpcError::TimeStampExpired, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.",
     "Set the client's clock: it may be 15 minutes off at most."},
    {RpcError::TimeStampFormat, 400, "InvalidTimeStamp.Format",
     "Specified time stamp or date value is not well formatted.", "Accepted: UTC as 2024-02-20T08:30:00Z."},
    {RpcError::NonceUsed, 400, "SignatureNonceUsed", "Specified signature nonce was used already.",
     "Sign each request with a new nonce, also when it is tried again."},
    {RpcError::ActionNotFound, 404, "InvalidAction.NotFound",
     "Specified api is not found, please check your url and method.",
     "Accepted: CreateVirusScanOnceTask, GetVirusScanLatestTaskStatistic, ListVirusScanMachine, "
     "ListVirusScanMachineEvent, ListVirusScanTask, by GET or POST at /."},
    {RpcError::InvalidVersion, 400, "InvalidVersion", "Specified parameter Version is not valid.",
     "Accepted: 2018-12-03."},
    {RpcError::InvalidCredentials, 401, "InvalidCredentials", "The user name or the password is missing or wrong.",
     "Log in with the account's own name and password."},
    {RpcError::Throttling, 400, "Throttling.User", "Request was denied due to user flow control.", "Ask less often."},
    {RpcError::RequestTooLarge, 413, "RequestTooLarge", "The request is larger than this server accepts.",
     "Send fewer or shorter parameters."},
    {RpcError::RequestTimeout, 408, "RequestTimeout", "The request did not arrive in time.", "Send it again."},
};

const ErrorRow& row_of(RpcError error) {
    return *std::ranges::find(errors, error, &ErrorRow::error);
}

// A UUID in capitals.
std::string request_id() {
    auto id = random_uuid();
    std::ranges::transform(id, id.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    return id;
}

}  // namespace

const RpcAction* find_action(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(rpc_actions, name, &RpcAction::name);
    return found == std::end(rpc_actions) ? nullptr : found;
}

std::string_view name_of(RpcFormat format) noexcept {
    return format == RpcFormat::Xml ? "XML" : "JSON";
}

RpcRefusal::RpcRefusal(RpcError error, std::string_view more)
    : RpcRefusal(row_of(error).status, row_of(error).code, row_of(error).message + std::string(more),
                 row_of(error).advice) {}

const RpcAction& action_of(std::string_view name, std::string_view version) {
    const auto* action = find_action(name);
    if (action == nullptr) throw RpcRefusal(RpcError::ActionNotFound);
    if (version != rpc_version) throw RpcRefusal(RpcError::InvalidVersion);
    return *action;
}

RpcRefusal server_error(std::string_view inside) {
    const auto& row = row_of(RpcError::ServerError);
    return {row.status, row.code, row.message, with_reference(row.advice, inside)};
}

RpcRefusal missing_parameter(const std::string& name) {
    return {400, "Missing" + name, name + " is mandatory for this action.", "Send the parameter " + name + "."};
}

RpcRefusal invalid_parameter(const std::string& name, const std::string& wrong, const std::string& accepted) {
    return {400, "InvalidParameter", "The parameter " + name + " " + wrong + ".", "Accepted: " + accepted + "."};
}

std::string rpc_body(RpcFormat format, std::string_view root, const std::function<void(ObjectWriter& body)>& write) {
    std::string text;
    const auto write_object = [&](ObjectWriter& body) {
        body.begin_object();
        body.member("RequestId", request_id());
        write(body);
        body.end_object();
    };
    if (format == RpcFormat::Xml) {
        text = "<?xml version='1.0' encoding='UTF-8'?>";
        XmlWriter xml(text);
        xml.key(root);
        write_object(xml);
    } else {
        JsonWriter json(text);
        write_object(json);
    }
    return text;
}

std::string rpc_failure(RpcFormat format, const RpcRefusal& refusal, std::string_view host) {
    return rpc_body(format, "Error", [&](ObjectWriter& error) {
        error.member("Message", refusal.what());
        error.member("HostId", host);
        error.member("Code", refusal.code());
        error.member("Recommend", refusal.advice());
    });
}

}  // namespace clamscanner
