// jobd's request server: answers agents and other programs of users, and clamscanner-notifyd, on one socket, and the
// administrator's command on another. The kernel says which uid asks, and only that counts. Requests are foreign bytes;
// there are limits on every length, on the memory that an account's requests and answers may take, and on the time that
// its requests may take: a list of a million finds is asked for in small pieces.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/change_answers.h"
#include "jobs/jobd/connection_closer.h"
#include "jobs/jobd/ledger_reader.h"
#include "jobs/jobd/outbox_answers.h"
#include "jobs/jobd/read_answers.h"
#include "jobs/shared/frames.h"

namespace clamscanner {

class RequestServer {
 public:
    // `host_users`: users who see the statistics of the whole host.
    RequestServer(const JobContext& context, AccountLookup& accounts, Dispatcher& dispatcher, ScanHistory& history,
                  SystemScans& system_scans, ScheduleBook& schedules, std::set<uid_t> host_users,
                  const std::string& database);
    // Sends this round's answers. Call it after the commit.
    void flush();
    // While `serve` runs (EventLoop::serve_meanwhile() or serve_ready(), in the middle of a round): answers statuses
    // and lists as they were committed last, and sends those answers at once. All else waits for the next round.
    void answer_from_disk(const std::function<void()>& serve);

 private:
    enum class Role : std::uint8_t { Account, Administrator, Notifier };
    struct Connection {
        UniqueFd socket;
        EventLoop::Watch watch;
        Role role = Role::Account;
        uid_t uid = 0;
        FrameReader in{longest_jobs_question};
        FrameWriter out;
        std::uint64_t serial = 0;  // unlike a descriptor's number, it is never reused
        bool answering = false;    // a question is being answered; the next one waits until the answer is sent
        bool looking_up = false;   // the account's facts are being looked up
        std::optional<std::string> put_off;  // a question that is no answer's from the disk
        bool reading_paused =
            false;  // we do not read from it, so that what it sends stays in the kernel and takes none of our memory
        EventLoop::Timer pause;     // until then the next question waits
        EventLoop::Timer deadline;  // for progress
        Deadline silent_since = Clock::now();
        [[nodiscard]] bool is_waiting() const { return looking_up || pause.is_set(); }
        // Nobody waits for anything: no question of its has begun to arrive, and its last answer has been read.
        [[nodiscard]] bool is_idle() const;
    };
    struct Account {
        std::set<int> connections;
        std::size_t buffered = 0;  // bytes of incomplete questions and of unsent answers
        Deadline paused_until;
    };

    void accept(UniqueFd socket, bool for_administrator);
    // Empty: it may ask nothing.
    [[nodiscard]] std::optional<Role> role_of(uid_t uid, bool as_administrator) const;
    [[nodiscard]] bool make_room(uid_t uid);
    void take(int fd, std::uint32_t events);
    void answer_next(int fd);
    [[nodiscard]] std::optional<std::string> take_question(Connection& connection);
    // Of the administrator or of notifyd.
    void answer_service(int fd, Connection& connection, const std::string& question);
    void answer(Connection& connection, const AccountFacts& facts, const std::string& question);
    void charge(const Connection& connection, Clock::duration cost);
    void answer_those_put_off(uid_t uid);
    void put_off(int fd, Connection& connection, std::string question);
    void answer_from_disk(int fd, Connection& connection, std::string question);
    void send(int fd);
    void reply(Connection& connection, const Encoded& answer);
    void close_malformed(int fd, const Malformed& wrong);
    void close(int fd);
    static void resume_reading(Connection& connection);
    void pause(int fd, Connection& connection, Clock::duration length);
    void restart_deadline(int fd, Connection& connection);
    void end_if_silent(int fd);

    JobContext context_;
    AccountLookup& accounts_;
    const std::set<uid_t> host_users_;
    const std::optional<uid_t> notifier_;
    ReadAnswers read_answers_;
    ChangeAnswers change_answers_;
    OutboxAnswers outbox_answers_;
    LedgerReader reader_;
    ReadAnswers answers_from_disk_;
    bool from_disk_ = false;  // a commit is under way
    ConnectionCloser closer_;
    Deadline malformed_logged_{};
    std::size_t malformed_unlogged_ = 0;
    UniqueFd listener_;
    UniqueFd administrators_listener_;
    EventLoop::Watch listener_watch_;
    EventLoop::Watch administrators_listener_watch_;
    std::map<int, std::unique_ptr<Connection>> connections_;
    std::map<uid_t, Account> by_uid_;
    std::set<int> unflushed_;
    std::uint64_t next_serial_ = 1;
};

}  // namespace clamscanner
