// Answers one request: checks credentials, cross-site rules and login, reads its body, then passes it to the account's
// agent and the reply back. Each thread of the responder has one. It trusts neither the client nor an agent's reply.
//
// Nobody's body is waited for before the login was found right: a thread waits with it. authd is asked once, with the
// agent's pipes, where there is no body; else first without them, and for the agent (OpenAgent) once the body is there.
#pragma once

#include "fcgi/agent_client.h"
#include "fcgi/basic_credentials.h"
#include "fcgi/body_limits.h"
#include "fcgi/document_roots.h"
#include "fcgi/statistics_gateway.h"
#include "fcgi/web_request.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class ApiGateway {
 public:
    // `bodies` and `roots` are shared by all threads.
    ApiGateway(const Settings& config, BodyLimits& bodies, DocumentRoots& roots);

    [[nodiscard]] Response answer(WebRequest& web);

 private:
    [[nodiscard]] Response pass(WebRequest& web, const Function* function, Request& request);
    // Both throw Refusal when the login was refused, and are empty when the agent gave no reply.
    [[nodiscard]] std::optional<Reply> ask(const Login& login, const Request& request);
    [[nodiscard]] std::optional<Reply> ask_with_body(WebRequest& web, const Function* function, Login login,
                                                     Request& request);
    void read_body(WebRequest& web, std::size_t limit, BodyOwner owner, Request& request);

    const Settings& config_;
    BodyLimits& bodies_;
    DocumentRoots& roots_;
    AgentClient agents_;
    StatisticsGateway statistics_;
};

}  // namespace clamscanner
