// The connections of authd's clients: responders, jobd and root's clamscanner-account. Who may send which message at
// which stage is one table (sessions.cpp); any other message, or a malformed one, ends the session.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_map>

#include "auth/authd/agents.h"
#include "auth/authd/login_trail.h"
#include "auth/authd/messages.h"
#include "auth/authd/runners.h"
#include "auth/authd/signature_desk.h"
#include "auth/authd/token_desk.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/socket.h"

namespace clamscanner {

enum class PeerRole { Responder, Jobd, Administrator };

class Sessions {
 public:
    // Of each role by itself, in the order of PeerRole: however many connections responders hold, jobd and the
    // administrator are let in.
    static constexpr std::size_t most_sessions[] = {8192, 1024, 64};

    Sessions(EventLoop& loop, LoginDesk& logins, SignatureDesk& signatures, TokenDesk& tokens, Agents& agents,
             Runners& runners, const Config& config)
        : loop_(loop),
          logins_(logins),
          signatures_(signatures),
          tokens_(tokens),
          agents_(agents),
          runners_(runners),
          config_(config),
          trail_(logins) {}

    // Takes over a connection whose peer has been checked.
    void begin(PeerRole role, UniqueFd socket);

    [[nodiscard]] std::size_t count() const noexcept { return sessions_.size(); }

 private:
    enum class Stage { MayAsk, AwaitsAnswer, LoggedIn, HasRunner };
    // A login that came without pipes and was right.
    struct LoggedIn {
        Account account;
        std::optional<LocalAccounts::Lines> lines;  // when it was answered
        Serve serve;
        Deadline expires;
        std::function<bool()> is_valid;  // of a token: it has not been revoked since
    };
    struct Session {
        std::uint64_t id;
        PeerRole role;
        UniqueFd socket;
        EventLoop::Watch watch;
        Stage stage = Stage::MayAsk;
        RequestPipes pipes;  // that came with the login which is being checked; none: they come with OpenAgent
        std::optional<LoggedIn> logged_in = {};  // in the stage of that name
        std::function<bool()> is_valid = {};     // of the token that is being checked
    };
    struct Permitted {
        PeerRole role;
        Stage stage;
        Handler<Sessions, void, Session&, Packet&> handler;
    };
    static const Permitted permitted[];

    void listen_to(std::uint64_t id);
    void dispatch(Session& session, Packet& packet);
    void answer_login(Login login, Session& session, Packet& packet);
    void answer_signed_login(const SignedLogin& login, Session& session, Packet& packet);
    void answer_token_login(const TokenLogin& login, Session& session, Packet& packet);
    void answer_token_order(TokenOrder order, Session& session, Packet& packet);
    void end_login(std::uint64_t id, const Serve& serve, const LoginAnswer& answer, const Account* account);
    void keep_login(Session& session, const Serve& serve, const Account& account, std::function<bool()> is_valid);
    void answer_open_agent(const OpenAgent& request, Session& session, Packet& packet);
    void open_agent(Session& session, const Account& account, const Serve& serve, const RequestPipes& pipes);
    void answer_start_runner(const StartRunner& request, Session& session, Packet& packet);
    void answer_end_processes(const EndProcesses& order, Session& session, Packet& packet);
    // Replies to a session, unless it has ended.
    template <class Message>
    void tell(std::uint64_t id, const Message& message, Stage next);
    void end(std::uint64_t id);

    EventLoop& loop_;
    LoginDesk& logins_;
    SignatureDesk& signatures_;
    TokenDesk& tokens_;
    Agents& agents_;
    Runners& runners_;
    const Config& config_;
    LoginTrail trail_;
    std::uint64_t next_id_ = 1;
    std::unordered_map<std::uint64_t, Session> sessions_;
    std::size_t by_role_[std::size(most_sessions)]{};
};

}  // namespace clamscanner
