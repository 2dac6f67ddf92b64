// The way of one request of the statistics interface: read whole, what proves who the client is, then to the account's
// agent and back. Whatever is wrong is an error in the interface's own form.
#pragma once

#include "fcgi/agent_door.h"
#include "fcgi/response.h"
#include "fcgi/rpc_request.h"
#include "fcgi/web_request.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class StatisticsGate {
 public:
    StatisticsGate(const Settings& config, AgentDoor& door) : config_(config), door_(door) {}

    // `query`: of the address, as sent.
    [[nodiscard]] Response answer(WebRequest& web, const std::string& query);

 private:
    void read(WebRequest& web, RpcMessage& message) const;
    [[nodiscard]] Reply pass(WebRequest& web, const RpcMessage& message, const RpcRequest& request,
                             const std::string& host);

    const Settings& config_;
    AgentDoor& door_;
};

}  // namespace clamscanner
