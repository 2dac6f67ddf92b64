#include "jobs/jobd/request_server.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

// Time limit for a question to begin, to arrive completely, and for its answer to be read.
constexpr auto peer_timeout = 20s;
constexpr std::size_t frame_header = 4;
constexpr std::uint32_t no_events = 0;  // no epoll events; a closed connection is reported anyway
// The memory that one account's incoming questions and outgoing answers may take before its next question must wait.
constexpr std::size_t most_buffered = longest_jobs_question + 2 * longest_jobs_answer;
constexpr std::size_t most_unsent = longest_jobs_answer;
constexpr auto pause_until_read = 100ms;
// An answer that took longer than this, which a piece seldom does, delays its account's next answer by as long, so one
// account gets at most half of jobd's time.
constexpr auto free_cost = 5ms;
constexpr int pause_factor = 1;

// Who sends mails and runs the hook, if there is such a user.
std::optional<uid_t> notifier_of(const Settings& config) {
    Account account;
    if (!find_account(config.notifications.user, account)) return std::nullopt;
    if (account.uid == 0 || account.uid >= config.login.uid_floor)
        throw ConfigError(config.name_of("notifications.user") + ": " + printable(account.name) +
                          " is root or a hosting account, which may not read what is told to others");
    return account.uid;
}

}  // namespace

RequestServer::RequestServer(const JobContext& context, AccountLookup& accounts, Dispatcher& dispatcher,
                             ScanHistory& history, SystemScans& system_scans, ScheduleBook& schedules,
                             std::set<uid_t> host_users, const std::string& database)
    : context_(context),
      accounts_(accounts),
      host_users_(std::move(host_users)),
      notifier_(notifier_of(context.config)),
      read_answers_(context.config, context.ledger, dispatcher, host_users_),
      change_answers_(context, dispatcher, history, system_scans, schedules, host_users_),
      outbox_answers_(context, accounts),
      reader_(database, context.ledger.running_time()),
      answers_from_disk_(context.config, reader_, dispatcher, host_users_),
      closer_(context.loop),
      listener_(listen_at(context.config.jobs_socket(), SOCK_STREAM, 0666)),
      administrators_listener_(listen_at(context.config.administrator_socket(), SOCK_STREAM, 0600)),
      listener_watch_(context.loop.accept_connections(listener_.get(),
                                                      [this](UniqueFd socket) { accept(std::move(socket), false); })),
      administrators_listener_watch_(context.loop.accept_connections(
          administrators_listener_.get(), [this](UniqueFd socket) { accept(std::move(socket), true); })) {}

// ---- Connections ---------------------------------------------------------------------------------------------------

bool RequestServer::Connection::is_idle() const {
    int unread = 0;
    return in.empty() && !answering && !is_waiting() && ::ioctl(socket.get(), FIONREAD, &unread) == 0 && unread == 0;
}

// The administrator's command runs as jobd's own user.
std::optional<RequestServer::Role> RequestServer::role_of(uid_t uid, bool as_administrator) const {
    if (as_administrator) return uid == ::geteuid() ? std::optional(Role::Administrator) : std::nullopt;
    if (notifier_ && uid == *notifier_) return Role::Notifier;
    const bool is_served = uid >= context_.config.login.uid_floor || host_users_.contains(uid);
    return is_served ? std::optional(Role::Account) : std::nullopt;
}

// An account that has all its connections loses the one on which nothing has come for longest, so that a program which
// keeps them open shuts out nobody else of its account.
bool RequestServer::make_room(uid_t uid) {
    const auto known = by_uid_.find(uid);
    if (known == by_uid_.end()) return true;
    const auto& open = known->second.connections;
    if (open.size() < context_.config.jobs.max_connections_per_account) return true;
    const auto silent_since = [this](int fd) {
        const auto& connection = *connections_.at(fd);
        return connection.is_idle() ? connection.silent_since : Deadline::max();
    };
    const int first = *std::ranges::min_element(open, {}, silent_since);
    if (!connections_.at(first)->is_idle()) return false;
    close(first);
    return true;
}

void RequestServer::accept(UniqueFd socket, bool for_administrator) {
    const uid_t uid = peer_of(socket.get()).uid;
    ConnectionCloser::prepare(socket.get());
    const auto role = role_of(uid, for_administrator);
    if (!role || !make_room(uid)) return closer_.close(std::move(socket));
    const int fd = socket.get();
    auto connection = std::make_unique<Connection>();
    connection->socket = std::move(socket);
    connection->watch = context_.loop.watch(
        fd, EPOLLIN, [this, fd](std::uint32_t events) { take(fd, events); }, EventLoop::Served::Meanwhile);
    connection->role = *role;
    connection->uid = uid;
    connection->serial = next_serial_++;
    by_uid_[uid].connections.insert(fd);
    restart_deadline(fd, *connection);
    connections_.emplace(fd, std::move(connection));
}

void RequestServer::close(int fd) {
    const auto found = connections_.extract(fd);
    auto& connection = *found.mapped();
    unflushed_.erase(fd);
    const auto account = by_uid_.find(connection.uid);
    account->second.buffered -= connection.in.size() + connection.out.size();
    account->second.connections.erase(fd);
    if (account->second.connections.empty() && Clock::now() >= account->second.paused_until) by_uid_.erase(account);
    connection.watch = {};
    closer_.close(std::move(connection.socket));
}

// Closes the connection of a peer that says nothing, or stops in the middle of a question or an answer.
void RequestServer::restart_deadline(int fd, Connection& connection) {
    connection.deadline = context_.loop.after(peer_timeout, [this, fd] { end_if_silent(fd); });
}

// A question that has just come is answered, although it comes late.
void RequestServer::end_if_silent(int fd) {
    const auto& connection = *connections_.at(fd);
    const bool is_late = !connection.in.empty() || connection.answering || connection.is_waiting();
    if (is_late || connection.is_idle()) close(fd);
}

void RequestServer::resume_reading(Connection& connection) {
    if (std::exchange(connection.reading_paused, false)) connection.watch.change(EPOLLIN);
}

void RequestServer::take(int fd, std::uint32_t events) {
    Connection& connection = *connections_.at(fd);
    if ((events & EPOLLOUT) != 0) {
        // The rest of an answer that was begun.
        if (from_disk_) return send(fd);
        unflushed_.insert(fd);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    if (connection.answering || connection.is_waiting()) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) return close(fd);
        connection.reading_paused = true;
        connection.watch.change(connection.out.empty() ? no_events : std::uint32_t{EPOLLOUT});
        return;
    }
    try {
        auto& account = by_uid_[connection.uid];
        const std::size_t before = connection.in.size();
        if (before == 0) restart_deadline(fd, connection);
        const Got got = connection.in.read_from_stranger(fd);
        account.buffered += connection.in.size() - before;
        if (got == Got::PeerGone) return close(fd);
        if (account.buffered > most_buffered) throw Malformed("it has too many bytes of questions and answers pending");
        answer_next(fd);
    } catch (const Malformed& wrong) {
        close_malformed(fd, wrong);
    }
}

void RequestServer::pause(int fd, Connection& connection, Clock::duration length) {
    connection.pause =
        context_.loop.after(std::chrono::ceil<std::chrono::milliseconds>(length), [this, fd, &connection] {
            resume_reading(connection);
            answer_next(fd);
        });
}

void RequestServer::answer_next(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    Connection& connection = *found->second;
    if (connection.answering || connection.is_waiting()) return;
    const auto now = Clock::now();
    auto& account = by_uid_[connection.uid];
    if (account.paused_until > now) return pause(fd, connection, account.paused_until - now);
    if (account.buffered > connection.in.size() + most_unsent) return pause(fd, connection, pause_until_read);
    auto question = take_question(connection);
    if (!question) return;
    if (from_disk_) return answer_from_disk(fd, connection, std::move(*question));
    if (connection.role != Role::Account) return answer_service(fd, connection, *question);
    connection.looking_up = true;
    // The facts are usually fresh, and then this is called at once.
    accounts_.ask(connection.uid, [this, fd, serial = connection.serial,
                                   asked = std::move(*question)](const AccountLookup::Entry& entry) {
        const auto still_there = connections_.find(fd);
        if (still_there == connections_.end() || still_there->second->serial != serial) return;
        Connection& asker = *still_there->second;
        asker.looking_up = false;
        try {
            if (!entry.facts) throw Malformed("there is no such account");
            if (entry.is_known())
                answer(asker, *entry.facts, asked);
            else
                reply(asker, encode(Declined{std::string("Your home directory ") + home_hangs + ". Try again later."}));
        } catch (const Malformed& wrong) {
            close_malformed(fd, wrong);
        }
    });
}

std::optional<std::string> RequestServer::take_question(Connection& connection) {
    if (connection.put_off) return std::exchange(connection.put_off, std::nullopt);
    auto question = connection.in.next();
    if (question) by_uid_[connection.uid].buffered -= question->size() + frame_header;
    return question;
}

// Logs one a second: whoever asks can send nonsense as often as they like.
void RequestServer::close_malformed(int fd, const Malformed& wrong) {
    if (const auto now = Clock::now(); now - malformed_logged_ >= 1s) {
        const auto others = std::exchange(malformed_unlogged_, 0);
        log_line(Severity::Warning,
                 "closing a connection of uid " + std::to_string(connections_.at(fd)->uid) + ": " + wrong.what() +
                     (others != 0 ? " (and " + std::to_string(others) + " others before)" : std::string()));
        malformed_logged_ = now;
    } else {
        ++malformed_unlogged_;
    }
    close(fd);
}

// Of our own user and of notifyd's nothing needs to be known, and nobody's home is looked at for the administrator.
void RequestServer::answer_service(int fd, Connection& connection, const std::string& question) try {
    reply(connection, connection.role == Role::Notifier ? outbox_answers_.answer(question)
                                                        : change_answers_.answer_administrator(question));
} catch (const Malformed& wrong) {
    close_malformed(fd, wrong);
}

void RequestServer::answer(Connection& connection, const AccountFacts& facts, const std::string& question) {
    const auto began = Clock::now();
    if (const auto read = read_answers_.answer(facts, question))
        reply(connection, *read);
    else
        reply(connection, change_answers_.answer(facts, question));
    charge(connection, Clock::now() - began);
}

void RequestServer::charge(const Connection& connection, Clock::duration cost) {
    if (cost > free_cost) by_uid_[connection.uid].paused_until = Clock::now() + cost * pause_factor;
}

void RequestServer::reply(Connection& connection, const Encoded& answer) {
    connection.out.add(answer.bytes());
    by_uid_[connection.uid].buffered += answer.bytes().size() + frame_header;
    connection.answering = true;
    const int fd = connection.socket.get();
    unflushed_.insert(fd);
    restart_deadline(fd, connection);
}

void RequestServer::flush() {
    for (const int fd : std::exchange(unflushed_, {}))
        if (connections_.contains(fd)) send(fd);
}

void RequestServer::send(int fd) {
    Connection& connection = *connections_.at(fd);
    const std::size_t before = connection.out.size();
    const Sent sent = connection.out.write_to(fd);
    by_uid_[connection.uid].buffered -= before - connection.out.size();
    if (sent == Sent::PeerGone) {
        close(fd);
    } else if (sent == Sent::WouldBlock) {
        connection.reading_paused = true;
        connection.watch.change(EPOLLOUT);
    } else if (std::exchange(connection.answering, false)) {
        connection.silent_since = Clock::now();
        restart_deadline(fd, connection);
        resume_reading(connection);
        // A question that arrived together with the last one is in our buffer already, so no event will announce it.
        if (connection.in.size() > 0) pause(fd, connection, Clock::duration::zero());
    }
}

// ---- In the middle of a round --------------------------------------------------------------------------------------

void RequestServer::answer_from_disk(const std::function<void()>& serve) {
    from_disk_ = true;
    accounts_.tell_only([this](uid_t uid) { answer_those_put_off(uid); });
    serve();
    accounts_.tell_only({});
    from_disk_ = false;
}

// What is known of the account is fresh again.
void RequestServer::answer_those_put_off(uid_t uid) {
    const auto account = by_uid_.find(uid);
    if (account == by_uid_.end()) return;
    for (const int fd : std::set(account->second.connections)) {
        Connection& connection = *connections_.at(fd);
        if (!connection.put_off) continue;
        connection.pause = {};
        answer_next(fd);
    }
}

void RequestServer::answer_from_disk(int fd, Connection& connection, std::string question) try {
    const bool is_account = connection.role == Role::Account;
    const auto* known = is_account ? accounts_.fresh(connection.uid) : nullptr;
    if (known == nullptr || !known->is_known()) {
        put_off(fd, connection, std::move(question));
        if (is_account && known == nullptr) accounts_.ask(connection.uid, [](const AccountLookup::Entry&) {});
        return;
    }
    const auto began = Clock::now();
    std::optional<Encoded> answer;
    try {
        const LedgerReader::Snapshot snapshot(reader_);
        answer = answers_from_disk_.answer(*known->facts, question);
    } catch (const LedgerDatabase::NeedsWriting&) {
        // The account is not in the database yet.
    }
    if (!answer) return put_off(fd, connection, std::move(question));
    reply(connection, *answer);
    unflushed_.erase(fd);
    charge(connection, Clock::now() - began);
    send(fd);
} catch (const Malformed& wrong) {
    close_malformed(fd, wrong);
}

void RequestServer::put_off(int fd, Connection& connection, std::string question) {
    connection.put_off = std::move(question);
    pause(fd, connection, Clock::duration::zero());
}

}  // namespace clamscanner
