// The way of one request: read whole, credentials, cross-site, login, then to the account's agent and back. Each thread
// of the responder has one. It trusts neither the client nor what an agent replies.
#pragma once

#include "fcgi/agent_door.h"
#include "fcgi/basic_credentials.h"
#include "fcgi/long_bodies.h"
#include "fcgi/statistics_gate.h"
#include "fcgi/web_request.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Gate {
 public:
    // `long_bodies` is shared by all gates.
    Gate(const Settings& config, LongBodies& long_bodies);

    [[nodiscard]] Response answer(WebRequest& web);

 private:
    [[nodiscard]] Response pass(WebRequest& web, const Function* function, Request& request);
    // What it returns is kept as long as the body is.
    [[nodiscard]] std::optional<LongBodies::Place> read_body(WebRequest& web, const Function* function,
                                                             Request& request) const;
    // Empty when the agent gave none. Throws Refusal when the login is none.
    [[nodiscard]] std::optional<Reply> ask(BasicCredentials credentials, const Request& request);

    const Settings& config_;
    LongBodies& long_bodies_;
    AgentDoor door_;
    StatisticsGate statistics_;
};

}  // namespace clamscanner
