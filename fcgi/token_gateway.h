// Answers UAPI's module Tokens: parses the arguments and writes the answer; authd checks the credentials and carries
// out what is asked. No agent takes part, since an agent runs as its account, as malware may. Each thread of the
// responder has one.
#pragma once

#include "fcgi/token_client.h"
#include "fcgi/web_request.h"
#include "handlers/shared/address.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class TokenGateway {
 public:
    explicit TokenGateway(const Settings& config)
        : config_(config), authd_(config.login_socket(), std::chrono::seconds(config.responder.reply_seconds)) {}

    // The address is one of the module's. Throws Refusal.
    [[nodiscard]] Response answer(WebRequest& web, const Address& address, Request& request);

 private:
    void read_body(WebRequest& web, Request& request) const;
    [[nodiscard]] TokenAnswer ask(const TokenOrder& order);

    const Settings& config_;
    TokenClient authd_;
};

}  // namespace clamscanner
