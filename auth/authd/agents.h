// One agent per active account, started on demand and ended when idle. An agent runs as its user, who may stop, kill or
// take it over at any moment; no other account may suffer from that.
//
//   in flight      requests not yet reported Served; beyond agents.max_requests_per_account a login gets Busy
//   overdue        a request older than agents.request_seconds: the agent is killed, and its account has two requests
//                  at a time for the next minute
//   misbehaviour   anything but Served, or more of them than requests in flight: the agent is killed
//   held           the administrator holds the account (held_accounts.h): its agent is killed, and a login gets Held
//   hanging        agents that were ended but wait in the kernel for files of the account's: after the fourth, none is
//                  started, and a login gets FilesHang
//   restarts       more than eight in ten seconds: Busy, because every start costs all accounts some time
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>

#include "auth/authd/children.h"
#include "auth/authd/messages.h"
#include "auth/base/account.h"
#include "auth/base/config.h"
#include "auth/base/event_loop.h"
#include "auth/base/request_pipes.h"
#include "auth/base/voucher.h"
#include "auth/identity/held_accounts.h"

namespace clamscanner {

class Agents {
 public:
    // Starts an account's agent and passes it its end of the control socket.
    using Launch = std::function<ChildProcess(const Account& account, int control)>;

    // `voucher_key`: seals what agents need to have what weakens an account's protection done.
    Agents(EventLoop& loop, Children& children, const Config& config, Launch launch,
           Secret voucher_key = new_voucher_key())
        : loop_(loop),
          children_(children),
          config_(config),
          launch_(std::move(launch)),
          voucher_key_(std::move(voucher_key)),
          held_(config.held_accounts()) {}

    // Whether a right login to that account may be served at all: Welcome, Forbidden or Held.
    [[nodiscard]] LoginAnswer may_serve(const Account& account, Purpose purpose);

    // After a successful login. If the answer is Welcome, the agent has got the pipes.
    [[nodiscard]] LoginAnswer admit(const Account& account, const Serve& serve, const RequestPipes& pipes);

    // Kills the agents of that uid. Children::when_gone() tells when they are reaped.
    void end_all_of(uid_t uid);

    // The settings have changed: each agent is ended as soon as it has answered what it was given, and the next request
    // of its account starts another one.
    void renew();

    [[nodiscard]] std::size_t count() const noexcept { return agents_.size(); }

 private:
    // An account that changed, or whose name has passed to another owner, gets a new agent.
    using Key = std::tuple<std::string, uid_t, gid_t, std::string, std::string>;
    struct Agent {
        ChildProcess process;
        UniqueFd control;
        EventLoop::Watch watch;
        std::deque<Deadline> in_flight;  // when each began, oldest first; Served removes from the front
        Deadline idle_since{};
        bool is_old = false;  // it has read settings that have changed
    };
    // Recent behaviour of an account's agents.
    struct Conduct {
        Deadline slowed_until{};
        Deadline starts_since{};
        unsigned starts = 0;
    };
    using Found = std::map<Key, Agent>::iterator;

    [[nodiscard]] Serve with_voucher(const Account& account, Serve serve) const;
    [[nodiscard]] static Key key_of(const Account& account) {
        return {account.name, account.uid, account.gid, account.home, account.generation};
    }
    [[nodiscard]] Found agent_of(const Account& account);
    [[nodiscard]] bool make_room();
    [[nodiscard]] bool may_start(uid_t uid, Deadline now);
    [[nodiscard]] std::size_t most_in_flight(uid_t uid, Deadline now) const;
    // Reads the agent's messages; false once it is gone.
    bool listen_to(const Key& key);
    void end(Found agent, std::chrono::milliseconds grace);
    void kill(Found agent, const char* why);
    void check_agents();

    EventLoop& loop_;
    Children& children_;
    const Config& config_;
    Launch launch_;
    const Secret voucher_key_;
    HeldAccounts held_;
    std::map<Key, Agent> agents_;
    std::unordered_map<uid_t, Conduct> conduct_;
    EventLoop::Timer next_look_;  // set while there are agents
};

// The launcher outside tests: becomes the account for good and executes clamscanner-agent.
[[nodiscard]] Agents::Launch agent_launcher(const Config& config, const std::string& config_file);

}  // namespace clamscanner
