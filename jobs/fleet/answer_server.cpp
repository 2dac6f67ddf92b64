#include "jobs/fleet/answer_server.h"

#include "auth/base/account.h"
#include "auth/base/dispatch.h"
#include "auth/base/log.h"
#include "jobs/fleet/fleet_answers.h"
#include "jobs/fleet/fleet_database.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto peer_timeout = 20s;
constexpr std::size_t longest_question = 64 * 1024;
constexpr std::size_t most_connections = 256;

std::map<uid_t, std::string> named_host_users(const Settings& config) {
    std::map<uid_t, std::string> users;
    for (const auto& name : config.jobs.host_users) users[configured_user(config, "jobs.host_users", name).uid] = name;
    return users;
}

// Answers one question, in the database's thread.
class FleetAnswers {
 public:
    FleetAnswers(Postgres& postgres, std::string asked_by, std::uint64_t deadline_minutes)
        : postgres_(postgres), asked_by_(std::move(asked_by)), deadline_minutes_(deadline_minutes) {}

    [[nodiscard]] std::string answer(const std::string& question) try {
        static constexpr Handler<FleetAnswers, Encoded> table[] = {
            handles<&FleetAnswers::answer_statistics>, handles<&FleetAnswers::answer_tasks>,
            handles<&FleetAnswers::answer_machines>,   handles<&FleetAnswers::answer_findings>,
            handles<&FleetAnswers::start_scan>,
        };
        return std::string(dispatch(table, *this, question).bytes());
    } catch (const Refusal& refusal) {
        return std::string(encode(Declined{refusal.what()}).bytes());
    }

 private:
    FleetStatistics answer_statistics(const AskFleetStatistics&) { return fleet_statistics(postgres_); }
    FleetTasks answer_tasks(const AskFleetTasks& asked) { return fleet_tasks(postgres_, asked); }
    FleetMachines answer_machines(const AskFleetMachines& asked) { return fleet_machines(postgres_, asked); }
    FleetFindings answer_findings(const AskFleetFindings& asked) { return fleet_findings(postgres_, asked); }
    Accepted start_scan(const StartFleetScan&) {
        const auto task = start_task(postgres_, asked_by_, deadline_minutes_);
        log_line(Severity::Info, asked_by_ + " has all machines scanned: " + task);
        return {};
    }

    Postgres& postgres_;
    const std::string asked_by_;
    const std::uint64_t deadline_minutes_;
};

}  // namespace

AnswerServer::AnswerServer(EventLoop& loop, const Settings& config, DatabaseThread& database)
    : loop_(loop),
      config_(config),
      database_(database),
      host_users_(named_host_users(config)),
      listener_(listen_at(config.fleet_socket(), SOCK_STREAM, 0666)),
      listener_watch_(
          loop.accept_connections(listener_.get(), [this](UniqueFd socket) { accept(std::move(socket)); })) {}

void AnswerServer::accept(UniqueFd socket) {
    const uid_t uid = peer_of(socket.get()).uid;
    if (!host_users_.contains(uid) || connections_.size() >= most_connections) return;
    const int fd = socket.get();
    auto connection = std::make_unique<Connection>(
        Connection{std::move(socket), next_serial_++, uid, FrameReader(longest_question), {}, false, {}, {}});
    connection->watch = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t events) { take(fd, events); });
    restart_deadline(fd, *connection);
    connections_.emplace(fd, std::move(connection));
}

void AnswerServer::take(int fd, std::uint32_t events) {
    auto& connection = *connections_.at(fd);
    if ((events & EPOLLOUT) != 0) return send(fd, connection);
    if (connection.is_answering) {
        // What is sent meanwhile stays in the kernel.
        if ((events & (EPOLLHUP | EPOLLERR)) != 0)
            connections_.erase(fd);
        else
            connection.watch.change(0);
        return;
    }
    read(fd, connection);
}

void AnswerServer::read(int fd, Connection& connection) try {
    if (connection.in.read_from_stranger(fd) == Got::PeerGone) {
        connections_.erase(fd);
        return;
    }
    answer_next(fd, connection);
} catch (const Malformed& wrong) {
    log_line(Severity::Warning, "closing a connection of uid " + std::to_string(connection.uid) + ": " + wrong.what());
    connections_.erase(fd);
}

void AnswerServer::answer_next(int fd, Connection& connection) {
    auto question = connection.in.next();
    if (!question) return;
    connection.is_answering = true;
    restart_deadline(fd, connection);
    database_.ask(
        [asked_by = host_users_.at(connection.uid), question = *std::move(question),
         minutes = config_.fleet.deadline_minutes](Postgres& postgres) {
            try {
                require_schema(postgres);
                return FleetAnswers(postgres, asked_by, minutes).answer(question);
            } catch (const Malformed&) {
                return std::string();
            }
        },
        [this, fd, serial = connection.serial](std::optional<std::string> answer) {
            take_answer(fd, serial, std::move(answer));
        });
}

void AnswerServer::take_answer(int fd, std::uint64_t serial, std::optional<std::string> answer) {
    const auto found = connections_.find(fd);
    if (found == connections_.end() || found->second->serial != serial) return;
    // Nothing: the database did not answer. The agent then says that the service is gone for a moment.
    if (!answer || answer->empty()) {
        connections_.erase(found);
        return;
    }
    auto& connection = *found->second;
    connection.out.add(*answer);
    restart_deadline(fd, connection);
    send(fd, connection);
}

void AnswerServer::send(int fd, Connection& connection) {
    const Sent sent = connection.out.write_to(fd);
    if (sent == Sent::PeerGone) {
        connections_.erase(fd);
    } else if (sent == Sent::WouldBlock) {
        connection.watch.change(EPOLLOUT);
    } else {
        connection.is_answering = false;
        connection.watch.change(EPOLLIN);
        restart_deadline(fd, connection);
        try {
            answer_next(fd, connection);
        } catch (const Malformed&) {
            connections_.erase(fd);
        }
    }
}

void AnswerServer::restart_deadline(int fd, Connection& connection) {
    connection.deadline = loop_.after(peer_timeout, [this, fd] { connections_.erase(fd); });
}

}  // namespace clamscanner
