// A request of the statistics interface: its parameters, how it authenticates the client, and the text that the client
// must have signed, reconstructed from the request. All of it is untrusted; signatures are not verified here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/authd/messages.h"
#include "handlers/shared/rpc.h"

namespace clamscanner {

// As received over HTTP.
struct RpcMessage {
    std::string method;
    std::string query;  // as sent
    std::string body;
    std::string content_type;
    std::string authorization;
    // The value of a header by its name in lower case, "" when it was not sent.
    std::function<std::string(const std::string& name)> header;
    // While the body has yet to come: what the client says its SHA-256 will be, which it signed.
    std::optional<std::string> claimed_digest = {};

    // Whether the parameters are in the body, too.
    [[nodiscard]] bool has_form() const;
};

enum class RpcAuthentication { None, Basic, V1, V3 };

class RpcRequest {
 public:
    // Throws RpcRefusal when something is wrongly encoded. Missing parameters are not noticed yet.
    RpcRequest(const RpcMessage& message, RpcFormat format);
    explicit RpcRequest(const RpcMessage& message) : RpcRequest(message, format_of(message)) {}

    // In which an answer is wanted, also where the request is broken. XML is a choice that only those of version 1
    // have.
    [[nodiscard]] static RpcFormat format_of(const RpcMessage& message);

    [[nodiscard]] RpcAuthentication authentication() const noexcept { return authentication_; }
    [[nodiscard]] RpcFormat format() const noexcept { return format_; }
    // "" when it was not sent.
    [[nodiscard]] const std::string& action() const noexcept { return action_; }
    [[nodiscard]] const std::string& version() const noexcept { return version_; }

    // The message for authd, without the client's address; only with V1 and V3. Throws RpcRefusal when a mandatory
    // parameter is missing, or the way of signing is unknown.
    [[nodiscard]] SignedLogin signed_login(const RpcMessage& message) const;
    // For the client, to compare with its own.
    [[nodiscard]] static std::string string_to_sign(const SignedLogin& login);

    // Throws RpcRefusal when action or version are missing.
    void require_action() const;

    // All parameters as one query, for the agent: with Action, Version and Format, whether they came as parameters or
    // as headers.
    [[nodiscard]] std::string query_for_agent() const;

 private:
    using Parameters = std::vector<std::pair<std::string, std::string>>;

    static void read(std::string_view encoded, Parameters& parameters);
    void refuse_repetition() const;
    [[nodiscard]] const std::string* find(std::string_view name) const;
    [[nodiscard]] std::string value(std::string_view name) const;
    void require(std::initializer_list<const char*> names) const;
    [[nodiscard]] SignedLogin login_v1(const RpcMessage& message) const;
    [[nodiscard]] SignedLogin login_v3(const RpcMessage& message) const;

    RpcFormat format_;
    Parameters query_;       // only those of the URL
    Parameters parameters_;  // those of the URL and of a form
    RpcAuthentication authentication_ = RpcAuthentication::None;
    std::string action_;
    std::string version_;
};

}  // namespace clamscanner
