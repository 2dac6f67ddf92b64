// Answers one request of the statistics interface: finds out how the client authenticates, reads the body, then passes
// the request to the account's agent and the reply back. Errors have the interface's own form.
//
// As at the other interface, the body is waited for only once the login was found right. By version 3 the client signs
// what it says the body's digest is, so that is verified first, and the digest when the body is there. Only a form of
// version 1 has to be read before its signature can be verified: few of them at a time, and for a short time each.
#pragma once

#include <variant>

#include "fcgi/agent_client.h"
#include "fcgi/body_limits.h"
#include "fcgi/document_roots.h"
#include "fcgi/response.h"
#include "fcgi/rpc_request.h"
#include "fcgi/web_request.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class StatisticsGateway {
 public:
    // `bodies` and `roots` are shared by all threads.
    StatisticsGateway(const Settings& config, BodyLimits& bodies, DocumentRoots& roots, AgentClient& agents)
        : config_(config), bodies_(bodies), roots_(roots), agents_(agents) {}

    // `query`: the URL's, as sent.
    [[nodiscard]] Response answer(WebRequest& web, const std::string& query);

 private:
    using AnyLogin = std::variant<Login, SignedLogin>;

    [[nodiscard]] Reply pass(WebRequest& web, RpcMessage& message, const std::string& host);
    // Both throw RpcRefusal when the login was refused.
    [[nodiscard]] AgentClient::Answer ask(const AnyLogin& login, const Request& request);
    [[nodiscard]] BodyOwner check(const AnyLogin& login, const RpcRequest& request);
    void read_body(WebRequest& web, BodyOwner owner, RpcMessage& message);

    const Settings& config_;
    BodyLimits& bodies_;
    DocumentRoots& roots_;
    AgentClient& agents_;
};

}  // namespace clamscanner
