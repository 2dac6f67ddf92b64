// Answers UAPI's module Tokens: parses the arguments and writes the answer; authd checks the credentials and carries
// out what is asked. No agent takes part, since an agent runs as its account, as malware may. Each thread of the
// responder has one.
#pragma once

#include "fcgi/agent_client.h"
#include "fcgi/body_limits.h"
#include "fcgi/document_roots.h"
#include "fcgi/token_client.h"
#include "fcgi/web_request.h"
#include "handlers/shared/address.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class TokenGateway {
 public:
    // `bodies` and `roots` are shared by all threads.
    TokenGateway(const Settings& config, BodyLimits& bodies, DocumentRoots& roots, AgentClient& logins)
        : config_(config),
          bodies_(bodies),
          roots_(roots),
          logins_(logins),
          authd_(config.login_socket(), std::chrono::seconds(config.responder.reply_seconds)) {}

    // The address is one of the module's. Throws Refusal.
    [[nodiscard]] Response answer(WebRequest& web, const Address& address, Request& request);

 private:
    // Nobody's body is waited for before the credentials were found right.
    void read_body(WebRequest& web, const TokenOrder& order, Request& request);
    [[nodiscard]] std::optional<LoginAnswer> check(const TokenOrder& order);
    [[nodiscard]] TokenAnswer ask(const TokenOrder& order);

    const Settings& config_;
    BodyLimits& bodies_;
    DocumentRoots& roots_;
    AgentClient& logins_;
    TokenClient authd_;
};

}  // namespace clamscanner
