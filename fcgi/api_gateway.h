// Answers one request: reads it whole, checks credentials, cross-site rules and login, then passes it to the account's
// agent and the reply back. Each thread of the responder has one. It trusts neither the client nor an agent's reply.
#pragma once

#include "fcgi/agent_client.h"
#include "fcgi/client_headers.h"
#include "fcgi/long_bodies.h"
#include "fcgi/statistics_gateway.h"
#include "fcgi/token_gateway.h"
#include "fcgi/web_request.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class ApiGateway {
 public:
    // `long_bodies` is shared by all threads.
    ApiGateway(const Settings& config, LongBodies& long_bodies);

    [[nodiscard]] Response answer(WebRequest& web);

 private:
    [[nodiscard]] Response pass(WebRequest& web, const Function* function, Request& request);
    // The result must live as long as the body.
    [[nodiscard]] std::optional<LongBodies::Permit> read_body(WebRequest& web, const Function* function,
                                                              Request& request) const;
    // Empty when the agent gave no reply. Throws Refusal when the login was refused.
    [[nodiscard]] std::optional<Reply> ask(ClientCredentials credentials, const Request& request);

    const Settings& config_;
    LongBodies& long_bodies_;
    AgentClient agents_;
    StatisticsGateway statistics_;
    TokenGateway tokens_;
};

}  // namespace clamscanner
