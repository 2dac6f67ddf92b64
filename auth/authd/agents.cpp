#include "auth/authd/agents.h"

#include "auth/identity/become_user.h"

#include <sys/socket.h>

#include <algorithm>

#include "auth/base/log.h"
#include "auth/base/socket.h"

namespace clamscanner {
namespace {

constexpr std::chrono::milliseconds check_interval{250};
constexpr std::chrono::seconds exit_grace{5};
constexpr std::chrono::seconds slowed{60};
constexpr std::size_t in_flight_when_slowed = 2;
constexpr std::chrono::seconds starts_window{10};
constexpr unsigned most_starts = 8;

LoginAnswer refusal(LoginVerdict verdict) {
    return {verdict, verdict == LoginVerdict::Busy ? 1U : 0U};
}

// A change of an account takes about that long.
constexpr std::uint32_t held_seconds = 30;
// Runners have a lower limit: an owner whose scan hangs must still be able to ask, and to cancel it.
constexpr std::size_t most_ending = 4;

}  // namespace

Agents::Launch agent_launcher(const Config& config, const std::string& config_file) {
    return [program = config.program("clamscanner-agent"), config_file](const Account& account, int control) {
        return fork_child({control}, [&] {
            become_for_good(account);
            die_with_authd();
            exec_clean(account, program, {"--config", config_file}, 4, true);
        });
    };
}

LoginAnswer Agents::may_serve(const Account& account, Purpose purpose) try {
    // A host user has no files to be scanned.
    if (purpose == Purpose::Api && account.uid < config_.login.uid_floor) return refusal(LoginVerdict::Forbidden);
    if (held_.include(account.name, account.uid)) return {LoginVerdict::Held, held_seconds};
    return {LoginVerdict::Welcome, 0};
} catch (const std::exception& fault) {
    log_line(Severity::Error, "cannot tell whether " + printable(account.name) + " is held: " + fault.what());
    return refusal(LoginVerdict::Unavailable);
}

LoginAnswer Agents::admit(const Account& account, const Serve& serve, const RequestPipes& pipes) try {
    if (const auto answer = may_serve(account, serve.purpose); answer.verdict != LoginVerdict::Welcome) return answer;
    // Tries twice: the agent found first may just have ended.
    for (int tries = 0; tries < 2; ++tries) {
        const bool many_hang = children_.ending(account.uid) >= most_ending && children_.hangs(account.uid);
        if (many_hang && !agents_.contains(key_of(account))) return refusal(LoginVerdict::FilesHang);
        const auto found = agent_of(account);
        if (found == agents_.end()) return refusal(LoginVerdict::Busy);
        const auto now = Clock::now();
        auto& agent = found->second;
        const auto most = most_in_flight(account.uid, now);
        // Its Served may still be unread. A client that already has its reply must not be refused its next request.
        if (agent.in_flight.size() >= most && !listen_to(found->first)) continue;
        if (agent.in_flight.size() >= most) return refusal(LoginVerdict::Busy);

        const auto sent =
            send_message(agent.control.get(), with_voucher(account, serve), {pipes.request.get(), pipes.reply.get()});
        if (sent == Sent::WouldBlock) return refusal(LoginVerdict::Busy);
        if (sent == Sent::PeerGone) {
            kill(found, "it hung up");
            continue;
        }
        agent.in_flight.push_back(now);
        return {LoginVerdict::Welcome, 0};
    }
    return refusal(LoginVerdict::Unavailable);
} catch (const std::exception& fault) {
    log_line(Severity::Error, "no agent for " + printable(account.name) + ": " + fault.what());
    return refusal(LoginVerdict::Unavailable);
}

// A token that may not do everything gets none, and what an access key has signed is no request of the API.
Serve Agents::with_voucher(const Account& account, Serve serve) const {
    if (serve.purpose != Purpose::Api || serve.scope != TokenScope::Full) return serve;
    const auto by = serve.token.empty() ? VouchedBy::Password : VouchedBy::Token;
    serve.voucher = seal(voucher_key_, account.uid, by, serve.token);
    return serve;
}

std::size_t Agents::most_in_flight(uid_t uid, Deadline now) const {
    const auto conduct = conduct_.find(uid);
    const bool is_slowed = conduct != conduct_.end() && conduct->second.slowed_until > now;
    const std::size_t most = config_.agents.max_requests_per_account;
    return is_slowed ? std::min(most, in_flight_when_slowed) : most;
}

Agents::Found Agents::agent_of(const Account& account) {
    const Key key = key_of(account);
    if (const auto found = agents_.find(key); found != agents_.end()) return found;
    if (!may_start(account.uid, Clock::now()) || !make_room()) return agents_.end();

    auto [ours, childs] = socket_pair(SOCK_SEQPACKET);
    set_blocking(ours.get(), false);
    // When the agent ends, its control socket closes, which calls this handler too.
    auto watch = loop_.watch(ours.get(), EPOLLIN, [this, key](std::uint32_t) { listen_to(key); });
    Agent agent{launch_(account, childs.get()), std::move(ours), std::move(watch), {}, Clock::now(), false};
    if (!next_look_.is_set()) next_look_ = loop_.after(check_interval, [this] { check_agents(); });
    return agents_.emplace(key, std::move(agent)).first;
}

bool Agents::may_start(uid_t uid, Deadline now) {
    auto& conduct = conduct_[uid];
    if (now - conduct.starts_since >= starts_window) {
        conduct.starts_since = now;
        conduct.starts = 0;
    }
    return ++conduct.starts <= most_starts;
}

bool Agents::make_room() {
    if (agents_.size() < config_.agents.max_agents) return true;
    auto longest_idle = agents_.end();
    for (auto agent = agents_.begin(); agent != agents_.end(); ++agent) {
        if (!agent->second.in_flight.empty()) continue;
        if (longest_idle == agents_.end() || agent->second.idle_since < longest_idle->second.idle_since)
            longest_idle = agent;
    }
    if (longest_idle == agents_.end()) return false;
    end(longest_idle, std::chrono::milliseconds(0));
    return true;
}

bool Agents::listen_to(const Key& key) {
    const auto found = agents_.find(key);
    if (found == agents_.end()) return false;
    auto& agent = found->second;
    try {
        Packet packet;
        for (;;) {
            const auto got = receive_packet(agent.control.get(), packet);
            if (got == Got::WouldBlock) return true;
            if (got == Got::PeerGone) {
                kill(found, "it ended");
                return false;
            }
            const auto served = decode<Served>(packet.bytes);
            if (!packet.descriptors.empty() || served.requests == 0 || served.requests > agent.in_flight.size())
                throw Malformed("it reports more requests served than it was given");
            agent.in_flight.erase(agent.in_flight.begin(), agent.in_flight.begin() + served.requests);
            if (agent.in_flight.empty()) agent.idle_since = Clock::now();
            if (agent.in_flight.empty() && agent.is_old) {
                end(found, exit_grace);
                return false;
            }
        }
    } catch (const Malformed& fault) {
        kill(found, fault.what());
        return false;
    }
}

// With a grace the agent ends by itself, as its control socket is shut. That tells also when the last process is gone
// that the agent has started: it looks at directories in children, who may be in the kernel for longer than it.
void Agents::end(Found found, std::chrono::milliseconds grace) {
    const uid_t uid = std::get<1>(found->first);
    auto agent = std::move(found->second);
    agents_.erase(found);
    agent.watch = {};
    ::shutdown(agent.control.get(), SHUT_WR);
    if (grace.count() == 0) agent.process.kill();
    children_.reap(std::move(agent.process), grace, uid, std::move(agent.control));
}

void Agents::end_all_of(uid_t uid) {
    for (auto next = agents_.begin(); next != agents_.end();)
        if (const auto found = next++; std::get<1>(found->first) == uid) end(found, std::chrono::milliseconds(0));
}

void Agents::renew() {
    for (auto next = agents_.begin(); next != agents_.end();) {
        const auto found = next++;
        found->second.is_old = true;
        if (found->second.in_flight.empty()) end(found, exit_grace);
    }
}

void Agents::kill(Found found, const char* why) {
    log_line(Severity::Warning, "ending the agent of " + printable(std::get<0>(found->first)) + ": " + why);
    end(found, std::chrono::milliseconds(0));
}

void Agents::check_agents() {
    const auto now = Clock::now();
    const std::chrono::seconds overdue(config_.agents.request_seconds);
    const std::chrono::seconds idle(config_.agents.idle_seconds);
    for (auto next = agents_.begin(); next != agents_.end();) {
        const auto found = next++;
        const auto& agent = found->second;
        if (agent.in_flight.empty()) {
            if (now - agent.idle_since >= idle) end(found, exit_grace);
        } else if (now - agent.in_flight.front() >= overdue) {
            conduct_[std::get<1>(found->first)].slowed_until = now + slowed;
            kill(found, "it does not answer");
        }
    }
    std::erase_if(conduct_, [&](const auto& one) {
        return one.second.slowed_until <= now && now - one.second.starts_since >= starts_window;
    });
    if (!agents_.empty()) next_look_ = loop_.after(check_interval, [this] { check_agents(); });
}

}  // namespace clamscanner
