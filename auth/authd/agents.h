// One agent for each account that asks: started when it is first needed, ended when it is idle. An agent is its user's
// process: it may be stopped, killed or taken over at any moment, and that must cost nobody else anything.
//
//   in flight      an agent's requests until it says Served; login is Busy beyond agents.max_requests_per_account
//   overdue        a request older than agents.request_seconds: the agent is killed, and its account has two requests
//                  at a time for the next minute
//   misbehaviour   anything but Served, or more of them than requests in flight: the agent is killed
//   restarts       more than eight in ten seconds: Busy, for a start costs everybody a little
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

namespace clamscanner {

class Agents {
 public:
    // Starts the agent of an account, with its end of the control socket.
    using Launch = std::function<ChildProcess(const Account& account, int control)>;

    Agents(EventLoop& loop, Children& children, const Config& config, Launch launch)
        : loop_(loop), children_(children), config_(config), launch_(std::move(launch)) {}

    // For somebody whose login was right: hands the pipes to the agent, if the answer is Welcome.
    [[nodiscard]] LoginAnswer admit(const Account& account, const Serve& serve, const RequestPipes& pipes);

    [[nodiscard]] std::size_t count() const noexcept { return agents_.size(); }

 private:
    // An account that changed, or whose name has passed to another owner, gets a new agent.
    using Key = std::tuple<std::string, uid_t, gid_t, std::string, std::string>;
    struct Agent {
        ChildProcess process;
        UniqueFd control;
        EventLoop::Watch watch;
        std::deque<Deadline> in_flight;  // when each began; Served takes the oldest away
        Deadline idle_since{};
    };
    // What an account's agents did of late.
    struct Conduct {
        Deadline slowed_until{};
        Deadline starts_since{};
        unsigned starts = 0;
    };
    using Found = std::map<Key, Agent>::iterator;

    [[nodiscard]] Found agent_of(const Account& account);
    [[nodiscard]] bool make_room();
    [[nodiscard]] bool may_start(uid_t uid, Deadline now);
    [[nodiscard]] std::size_t most_in_flight(uid_t uid, Deadline now) const;
    // Takes what the agent has said; false if it is no longer there.
    bool listen_to(const Key& key);
    [[nodiscard]] ChildProcess take_out(Found agent);
    void kill(Found agent, const char* why);
    void look_after();

    EventLoop& loop_;
    Children& children_;
    const Config& config_;
    Launch launch_;
    std::map<Key, Agent> agents_;
    std::unordered_map<uid_t, Conduct> conduct_;
    EventLoop::Timer next_look_;  // set while there are agents
};

// Starts the real one: becomes the account for good and executes clamscanner-agent.
[[nodiscard]] Agents::Launch agent_launcher(const Config& config, const std::string& config_file);

}  // namespace clamscanner
