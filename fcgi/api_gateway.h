// Answers one request: checks credentials, cross-site rules and login, reads its body, then passes it to the account's
// agent and the reply back. Each thread of the responder has one. It trusts neither the client nor an agent's reply.
//
// Nobody's body is waited for before the login was found right: a thread waits with it. authd is asked once, with the
// agent's pipes, where there is no body; else first without them, and for the agent (OpenAgent) once the body is there.
#pragma once

#include "fcgi/agent_client.h"
#include "fcgi/body_limits.h"
#include "fcgi/client_headers.h"
#include "fcgi/document_roots.h"
#include "fcgi/page.h"
#include "fcgi/statistics_gateway.h"
#include "fcgi/token_gateway.h"
#include "fcgi/web_request.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class ApiGateway {
 public:
    // `bodies`, `roots` and `page` are shared by all threads.
    ApiGateway(const Settings& config, BodyLimits& bodies, DocumentRoots& roots, const Page& page);

    [[nodiscard]] Response answer(WebRequest& web);

 private:
    [[nodiscard]] Response show(WebRequest& web, const Page::File& file, Request& request);
    [[nodiscard]] Response pass(WebRequest& web, const Function* function, Request& request);
    // Who reads the reply, and whether it may be long.
    struct Reader {
        BodyOwner name;
        std::optional<BodyLimit::Permit> permit;
    };
    // Both throw Refusal when the login was refused, and are empty when the agent gave no reply. `login`: a Login or a
    // TokenLogin.
    template <class AnyLogin>
    [[nodiscard]] std::optional<Reply> ask(WebRequest& web, const Function* function, AnyLogin login, Reader& reader,
                                           Request& request);
    template <class AnyLogin>
    [[nodiscard]] std::optional<Reply> ask_with_body(WebRequest& web, const Function* function, AnyLogin login,
                                                     Reader& reader, Request& request);
    // False when it may not.
    [[nodiscard]] bool permit_long_reply(Reader& reader);
    void read_body(WebRequest& web, std::size_t limit, BodyOwner owner, Request& request);

    const Settings& config_;
    BodyLimits& bodies_;
    DocumentRoots& roots_;
    const Page& page_;
    AgentClient agents_;
    StatisticsGateway statistics_;
    TokenGateway tokens_;
};

}  // namespace clamscanner
