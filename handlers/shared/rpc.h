// The statistics interface, version 2018-12-03. A request is an action with parameters; an answer is an object with a
// RequestId, in JSON or XML; a failure is an error with a code, by which clients decide what to do. Used by agents, and
// by the responder for its own refusals.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "jobs/shared/object_writer.h"

namespace clamscanner {

// The only path: the interface has a host name of its own.
inline constexpr std::string_view rpc_path = "/";
inline constexpr std::string_view rpc_version = "2018-12-03";

struct RpcAction {
    std::string_view name;
    bool only_reads;
};

inline constexpr RpcAction rpc_actions[] = {
    {"CreateVirusScanOnceTask", false}, {"GetVirusScanLatestTaskStatistic", true},
    {"ListVirusScanMachine", true},     {"ListVirusScanMachineEvent", true},
    {"ListVirusScanTask", true},
};

// Null when there is none of that name.
[[nodiscard]] const RpcAction* find_action(std::string_view name) noexcept;

enum class RpcFormat : std::uint8_t { Json, Xml };

// As the parameter Format names it.
[[nodiscard]] std::string_view name_of(RpcFormat format) noexcept;

enum class RpcError {
    NoPermission,
    ServerError,
    KeyNotFound,
    KeyInactive,
    SignatureDoesNotMatch,
    TimeStampExpired,
    TimeStampFormat,
    NonceUsed,
    ActionNotFound,
    InvalidVersion,
    InvalidCredentials,
    Throttling,
    RequestTooLarge,
    RequestTimeout,
};

// An error as the client sees it: HTTP status, code, message, and advice.
class RpcRefusal : public std::runtime_error {
 public:
    // `more` is appended to the error's message.
    explicit RpcRefusal(RpcError error, std::string_view more = "");
    RpcRefusal(int status, std::string code, const std::string& message, std::string advice)
        : std::runtime_error(message), status_(status), code_(std::move(code)), advice_(std::move(advice)) {}

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] const std::string& code() const noexcept { return code_; }
    [[nodiscard]] const std::string& advice() const noexcept { return advice_; }

 private:
    int status_ = 500;
    std::string code_;
    std::string advice_;
};

// Throws RpcRefusal when there is no such action, or not in this version.
[[nodiscard]] const RpcAction& action_of(std::string_view name, std::string_view version);

// ServerError. Logs `inside` under a fresh reference, which stands in the advice.
[[nodiscard]] RpcRefusal server_error(std::string_view inside);

// "Parameter is mandatory for this action."
[[nodiscard]] RpcRefusal missing_parameter(const std::string& name);
// Which parameter, what is wrong with it, and what is accepted.
[[nodiscard]] RpcRefusal invalid_parameter(const std::string& name, const std::string& wrong,
                                           const std::string& accepted);

// An object with a fresh RequestId and then the members that `write` gives. `root`: the name of XML's outermost
// element.
[[nodiscard]] std::string rpc_body(RpcFormat format, std::string_view root,
                                   const std::function<void(ObjectWriter& body)>& write);

// The body of an error. `host`: the host as the client named it, untrusted.
[[nodiscard]] std::string rpc_failure(RpcFormat format, const RpcRefusal& refusal, std::string_view host);

}  // namespace clamscanner
