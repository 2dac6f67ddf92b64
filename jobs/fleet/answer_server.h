// Where agents of host users ask for the whole fleet. The kernel says which uid asks, and nobody but a host user is
// answered. Questions are foreign bytes, with a limit on their length, their number at a time and their time; the
// database's thread finds the answers, whether or not this process leads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "auth/base/event_loop.h"
#include "jobs/fleet/database_thread.h"
#include "jobs/shared/frames.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class AnswerServer {
 public:
    AnswerServer(EventLoop& loop, const Settings& config, DatabaseThread& database);

 private:
    struct Connection {
        UniqueFd socket;
        std::uint64_t serial = 0;
        uid_t uid = 0;
        FrameReader in;
        FrameWriter out;
        bool is_answering = false;
        EventLoop::Watch watch;
        EventLoop::Timer deadline;
    };

    void accept(UniqueFd socket);
    void take(int fd, std::uint32_t events);
    void read(int fd, Connection& connection);
    void answer_next(int fd, Connection& connection);
    void take_answer(int fd, std::uint64_t serial, std::optional<std::string> answer);
    void send(int fd, Connection& connection);
    void restart_deadline(int fd, Connection& connection);

    EventLoop& loop_;
    const Settings& config_;
    DatabaseThread& database_;
    std::map<uid_t, std::string> host_users_;
    UniqueFd listener_;
    std::map<int, std::unique_ptr<Connection>> connections_;
    std::uint64_t next_serial_ = 1;
    EventLoop::Watch listener_watch_;
};

}  // namespace clamscanner
