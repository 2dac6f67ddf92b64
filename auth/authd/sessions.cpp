#include "auth/authd/sessions.h"

#include <sys/socket.h>

#include <algorithm>
#include <iterator>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

// Beyond the time that a responder gives a whole request.
constexpr std::chrono::seconds login_grace{5};

}  // namespace

// Agents send one message alone, which agents.cpp takes: Served.
const Sessions::Permitted Sessions::permitted[] = {
    {PeerRole::Responder, Stage::MayAsk, handles<&Sessions::answer_login>},
    {PeerRole::Responder, Stage::MayAsk, handles<&Sessions::answer_signed_login>},
    {PeerRole::Responder, Stage::MayAsk, handles<&Sessions::answer_token_login>},
    {PeerRole::Responder, Stage::MayAsk, handles<&Sessions::answer_token_order>},
    {PeerRole::Responder, Stage::LoggedIn, handles<&Sessions::answer_open_agent>},
    {PeerRole::Jobd, Stage::MayAsk, handles<&Sessions::answer_start_runner>},
    {PeerRole::Administrator, Stage::MayAsk, handles<&Sessions::answer_end_processes>},
};

void Sessions::begin(PeerRole role, UniqueFd socket) {
    const auto number = static_cast<std::size_t>(role);
    if (by_role_[number] >= most_sessions[number]) {
        log_line(Severity::Warning, "closing a new connection: there are too many");
        return;
    }
    const auto id = next_id_++;
    auto watch = loop_.watch(socket.get(), EPOLLIN, [this, id](std::uint32_t) { listen_to(id); });
    sessions_.emplace(id, Session{id, role, std::move(socket), std::move(watch), Stage::MayAsk, {}});
    ++by_role_[number];
}

void Sessions::listen_to(std::uint64_t id) {
    auto& session = sessions_.at(id);
    try {
        Packet packet;
        const auto got = receive_packet(session.socket.get(), packet);
        if (got == Got::Packet) dispatch(session, packet);
        if (got == Got::PeerGone) end(id);
    } catch (const std::exception& fault) {
        // Whether the peer or the machine is at fault, only this session ends.
        static constexpr const char* names[] = {"a responder", "jobd", "clamscanner-account"};
        log_line(Severity::Warning,
                 std::string(names[static_cast<int>(session.role)]) + " loses its connection: " + fault.what());
        end(id);
    }
}

void Sessions::dispatch(Session& session, Packet& packet) {
    const auto type = type_of(packet.bytes);
    const auto row = std::find_if(std::begin(permitted), std::end(permitted), [&](const Permitted& one) {
        return one.role == session.role && one.stage == session.stage && one.handler.type == type;
    });
    if (row == std::end(permitted)) throw Malformed("message " + std::to_string(type) + " is not permitted here now");
    row->handler.call(*this, packet.bytes, session, packet);
}

void Sessions::answer_login(Login login, Session& session, Packet& packet) {
    if (!packet.descriptors.empty()) session.pipes = take_pipes(packet);
    session.stage = Stage::AwaitsAnswer;
    const Serve serve{login.purpose, "", "", TokenScope::Full};
    auto answered = [this, id = session.id, serve, user = login.user, address = login.address](
                        const LoginAnswer& answer, const Account* account) {
        trail_.note(user, address, {"password", ""}, answer, account);
        end_login(id, serve, answer, account);
    };
    logins_.answer_login(std::move(login), std::move(answered));
}

void Sessions::answer_signed_login(const SignedLogin& login, Session& session, Packet& packet) {
    if (!packet.descriptors.empty()) session.pipes = take_pipes(packet);
    session.stage = Stage::AwaitsAnswer;
    signatures_.answer_signed_login(login, [this, id = session.id, key = login.key_id, address = login.address](
                                               const LoginAnswer& answer, const Account* account, const Serve& serve) {
        // The id of a key that does not exist may be anything.
        trail_.note("", address, {"key", answer.verdict == LoginVerdict::NoKey ? "" : key}, answer, account);
        end_login(id, serve, answer, account);
    });
}

void Sessions::answer_token_login(const TokenLogin& login, Session& session, Packet& packet) {
    if (!packet.descriptors.empty()) session.pipes = take_pipes(packet);
    session.stage = Stage::AwaitsAnswer;
    session.is_valid = tokens_.watch(login);
    tokens_.answer_login(login, [this, id = session.id, user = login.user, address = login.address](
                                    const LoginAnswer& answer, const Account* account, const Serve& serve) {
        trail_.note(user, address, {"token", serve.token}, answer, account);
        end_login(id, serve, answer, account);
    });
}

void Sessions::answer_token_order(TokenOrder order, Session& session, Packet& packet) {
    const bool has_names = order.action == TokenAction::List || is_token_name(order.name);
    if (!packet.descriptors.empty() || !has_names ||
        (order.action == TokenAction::Rename && !is_token_name(order.new_name)) ||
        order.expires_at < expires_by_default || order.expires_at > latest_expiry)
        throw Malformed("an order about tokens is none");
    session.stage = Stage::AwaitsAnswer;
    // Without the secret, which goes to the desk.
    const auto noted =
        std::make_shared<const TokenOrder>(TokenOrder{order.user, Secret(), order.is_token, order.address, order.action,
                                                      order.name, order.new_name, order.scope, order.expires_at});
    tokens_.answer_order(std::move(order), [this, id = session.id, noted](const TokenAnswer& answer) {
        trail_.note_order(*noted, answer);
        tell(id, answer, Stage::MayAsk);
    });
}

void Sessions::end_login(std::uint64_t id, const Serve& serve, const LoginAnswer& answer, const Account* account) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    auto& session = found->second;
    const auto pipes = std::exchange(session.pipes, {});
    auto is_valid = std::exchange(session.is_valid, {});
    if (answer.verdict != LoginVerdict::Welcome) return tell(id, answer, Stage::MayAsk);
    if (!pipes.request) return keep_login(session, serve, *account, std::move(is_valid));
    open_agent(session, *account, serve, pipes);
}

void Sessions::keep_login(Session& session, const Serve& serve, const Account& account,
                          std::function<bool()> is_valid) {
    if (const auto answer = agents_.may_serve(account, serve.purpose); answer.verdict != LoginVerdict::Welcome)
        return tell(session.id, answer, Stage::MayAsk);
    const auto expires = Clock::now() + std::chrono::seconds(config_.responder.read_seconds) + login_grace;
    session.logged_in = {account, logins_.lines_of(account.name), serve, expires, std::move(is_valid)};
    tell(session.id, LoginAnswer{LoginVerdict::Welcome, 0, account.uid}, Stage::LoggedIn);
}

void Sessions::answer_open_agent(const OpenAgent&, Session& session, Packet& packet) {
    const auto pipes = take_pipes(packet);
    const auto login = *std::exchange(session.logged_in, std::nullopt);
    // A password that was changed meanwhile, a lock, a new account of that name, or a token that was revoked count as
    // they do for a new login.
    if (Clock::now() >= login.expires || logins_.lines_of(login.account.name) != login.lines ||
        (login.is_valid && !login.is_valid()))
        return tell(session.id, LoginAnswer{LoginVerdict::Wrong, 0}, Stage::MayAsk);
    open_agent(session, login.account, login.serve, pipes);
}

void Sessions::open_agent(Session& session, const Account& account, const Serve& serve, const RequestPipes& pipes) {
    const auto answer = agents_.admit(account, serve, pipes);
    session.stage = Stage::MayAsk;
    if (answer.verdict != LoginVerdict::Welcome) tell(session.id, answer, Stage::MayAsk);
}

void Sessions::answer_start_runner(const StartRunner& request, Session& session, Packet& packet) {
    auto conversation = packet.only_descriptor();
    session.stage = Stage::HasRunner;
    runners_.start(session.id, request, std::move(conversation), [this, id = session.id](RunnerVerdict verdict) {
        tell(id, RunnerAnswer{verdict}, Stage::HasRunner);
    });
}

void Sessions::answer_end_processes(const EndProcesses& order, Session& session, Packet&) {
    session.stage = Stage::AwaitsAnswer;
    agents_.end_all_of(order.uid);
    runners_.end_all_of(order.uid, [this, id = session.id] { tell(id, ProcessesEnded{}, Stage::MayAsk); });
}

template <class Message>
void Sessions::tell(std::uint64_t id, const Message& message, Stage next) try {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    auto& session = found->second;
    session.stage = next;
    const int socket = session.socket.get();
    // A peer that does not read its one answer is as good as gone. The session ends when its socket is next read, not
    // here: the caller may still be using it.
    if (send_message(socket, message) != Sent::Yes) ::shutdown(socket, SHUT_RDWR);
} catch (const std::system_error& fault) {
    log_line(Severity::Error, std::string("cannot send an answer: ") + fault.what());
    ::shutdown(sessions_.at(id).socket.get(), SHUT_RDWR);
}

void Sessions::end(std::uint64_t id) {
    const auto session = sessions_.extract(id);
    --by_role_[static_cast<std::size_t>(session.mapped().role)];
    if (session.mapped().role == PeerRole::Jobd) runners_.stop(id);
}

}  // namespace clamscanner
