// The way from a request to the reply of its account's agent: authd is asked with whatever proves who the client is,
// and the agent finds the request waiting. Those of a thread share one.
#pragma once

#include <optional>

#include "fcgi/agent_client.h"
#include "fcgi/login_client.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class AgentDoor {
 public:
    explicit AgentDoor(const Settings& config) : config_(config), logins_(config.login_socket()) {}

    // Neither: no reply came, or none in time.
    struct Answer {
        std::optional<Reply> reply;
        std::optional<LoginAnswer> refusal;
    };
    // `login`: a Login or a SignedLogin. Throws std::exception when authd is not there or something else is no answer.
    template <class AnyLogin>
    [[nodiscard]] Answer ask(const AnyLogin& login, const Request& request) {
        AgentClient agent(Clock::now() + std::chrono::seconds(config_.responder.reply_seconds));
        // The request goes ahead of the verdict: nobody can read it before authd hands that end to the agent.
        agent.ask(request);
        logins_.ask_login(login, agent.agents_ends());
        if (auto reply = agent.reply()) {
            logins_.was_welcome();
            return {std::move(reply), std::nullopt};
        }
        return {std::nullopt, agent.is_late() ? std::nullopt : logins_.refusal()};
    }

 private:
    const Settings& config_;
    LoginClient logins_;
};

}  // namespace clamscanner
