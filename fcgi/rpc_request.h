// A request of the statistics interface: its parameters, how it proves who the client is, and the text that the client
// must have signed, put together from what came. All of it is foreign; nothing here decides whether a signature is
// right.
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

// As it came over HTTP.
struct RpcMessage {
    std::string method;
    std::string query;  // as sent
    std::string body;
    std::string content_type;
    std::string authorization;
    // The value of a header by its name in lower case, "" when it was not sent.
    std::function<std::string(const std::string& name)> header;
};

enum class RpcProof { None, Basic, V1, V3 };

class RpcRequest {
 public:
    // Throws RpcRefusal when something is not encoded as it should be. Nothing is missing yet.
    RpcRequest(const RpcMessage& message, RpcFormat format);
    explicit RpcRequest(const RpcMessage& message) : RpcRequest(message, format_of(message)) {}

    // In which an answer is wanted, also where the request is broken. XML is a choice that only those of version 1
    // have.
    [[nodiscard]] static RpcFormat format_of(const RpcMessage& message);

    [[nodiscard]] RpcProof proof() const noexcept { return proof_; }
    [[nodiscard]] RpcFormat format() const noexcept { return format_; }
    // "" when it was not sent.
    [[nodiscard]] const std::string& action() const noexcept { return action_; }
    [[nodiscard]] const std::string& version() const noexcept { return version_; }

    // What authd is asked, without the client's address; only with V1 and V3. Throws RpcRefusal: a parameter that must
    // be there is missing, or the request is signed in a way that this server does not know.
    [[nodiscard]] SignedLogin signed_login(const RpcMessage& message) const;
    // For the client, which compares it with its own.
    [[nodiscard]] static std::string string_to_sign(const SignedLogin& login);

    // Throws RpcRefusal when action or version are missing.
    void require_action() const;

    // All parameters as one query, for the agent: with Action, Version and Format, wherever they came from.
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
    Parameters query_;       // of the address alone
    Parameters parameters_;  // and of a form
    RpcProof proof_ = RpcProof::None;
    std::string action_;
    std::string version_;
};

}  // namespace clamscanner
