// Gets an agent's reply to a request: has authd check who the client is, while the request already waits in the agent's
// pipe; or, where a body is still to come, before it is read. Each thread has one, shared by its gateways.
#pragma once

#include <optional>

#include "fcgi/agent_exchange.h"
#include "fcgi/login_client.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class AgentClient {
 public:
    explicit AgentClient(const Settings& config) : config_(config), logins_(config.login_socket()) {}

    // Neither is set: no reply came, or none in time.
    struct Answer {
        std::optional<Reply> reply;
        std::optional<LoginAnswer> refusal;
    };
    // `login`: a Login or a SignedLogin. Throws std::exception when authd is not there or an answer is malformed.
    template <class AnyLogin>
    [[nodiscard]] Answer ask(const AnyLogin& login, const Request& request) {
        return exchange(request, [&](const RequestPipes& agents_ends) { logins_.ask_login(login, agents_ends); });
    }

    // The two halves of it, for a request whose body is read only after the login was found right. After Welcome, the
    // other half is the next call, or there is none. Empty: no answer came in time.
    template <class AnyLogin>
    [[nodiscard]] std::optional<LoginAnswer> check(const AnyLogin& login) {
        return logins_.check_login(login, deadline());
    }
    [[nodiscard]] Answer ask_as_checked(const Request& request) {
        return exchange(request, [&](const RequestPipes& agents_ends) { logins_.open_agent(agents_ends); });
    }

 private:
    [[nodiscard]] Deadline deadline() const {
        return Clock::now() + std::chrono::seconds(config_.responder.reply_seconds);
    }
    template <class PassEnds>
    [[nodiscard]] Answer exchange(const Request& request, PassEnds pass_ends) {
        AgentExchange agent(deadline());
        // The request is written before the login is decided: nobody can read it before authd passes that end to the
        // agent.
        agent.ask(request);
        pass_ends(agent.agents_ends());
        if (auto reply = agent.reply()) {
            logins_.was_welcome();
            return {std::move(reply), std::nullopt};
        }
        return {std::nullopt, agent.is_late() ? std::nullopt : logins_.refusal()};
    }

    const Settings& config_;
    LoginClient logins_;
};

}  // namespace clamscanner
