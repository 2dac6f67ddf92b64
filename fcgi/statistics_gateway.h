// Answers one request of the statistics interface: reads it whole, finds out how the client authenticates, then passes
// it to the account's agent and the reply back. Errors have the interface's own form.
#pragma once

#include "fcgi/agent_client.h"
#include "fcgi/response.h"
#include "fcgi/rpc_request.h"
#include "fcgi/web_request.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class StatisticsGateway {
 public:
    StatisticsGateway(const Settings& config, AgentClient& agents) : config_(config), agents_(agents) {}

    // `query`: the URL's, as sent.
    [[nodiscard]] Response answer(WebRequest& web, const std::string& query);

 private:
    void read(WebRequest& web, RpcMessage& message) const;
    [[nodiscard]] Reply pass(WebRequest& web, const RpcMessage& message, const RpcRequest& request,
                             const std::string& host);

    const Settings& config_;
    AgentClient& agents_;
};

}  // namespace clamscanner
