// jobd's request server: answers agents and other programs of users on one socket, and the administrator's command on
// another. The kernel says which uid asks, and only that counts. Requests are foreign bytes; there are limits on every
// length, on the memory that an account's requests and answers may take, and on the time that its requests may take: a
// list of a million finds is asked for in small pieces.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/ledger.h"
#include "jobs/jobd/preparations.h"
#include "jobs/jobd/scan_history.h"
#include "jobs/jobd/system_scans.h"
#include "jobs/shared/frames.h"

namespace clamscanner {

class RequestServer {
 public:
    // `host_users`: users who see the statistics of the whole host.
    RequestServer(const JobContext& context, AccountLookup& accounts, Dispatcher& dispatcher, ScanHistory& history,
                  SystemScans& system_scans, std::set<uid_t> host_users);
    // Sends this round's answers. Call it after the commit.
    void flush();

 private:
    struct Connection {
        UniqueFd socket;
        EventLoop::Watch watch;
        bool of_administrator = false;
        uid_t uid = 0;
        FrameReader in{longest_jobs_question};
        FrameWriter out;
        std::uint64_t serial = 0;  // unlike a descriptor's number, it is never reused
        bool answering = false;    // a question is being answered; the next one waits until the answer is sent
        bool looking_up = false;   // the account's facts are being looked up
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
    [[nodiscard]] bool may_ask(uid_t uid, bool as_administrator) const;
    [[nodiscard]] bool make_room(uid_t uid);
    void take(int fd, std::uint32_t events);
    void answer_next(int fd);
    void answer_administrator(int fd, Connection& connection, const std::string& question);
    void answer(Connection& connection, const AccountFacts& facts, const std::string& question);
    void reply(Connection& connection, const Encoded& answer);
    void close_malformed(int fd, const Malformed& wrong);
    void close(int fd);
    static void resume_reading(Connection& connection);
    void pause(int fd, Connection& connection, Clock::duration length);
    void restart_deadline(int fd, Connection& connection);
    void end_if_silent(int fd);

    // One function for each question that agents may ask. To decline a question, it throws Declined.
    Accepted answer_start_scan(const StartScan& asked, const AccountFacts& facts);
    Accepted answer_cancel_scan(const CancelScan&, const AccountFacts& facts);
    ScanStatus answer_scan_status(const AskScanStatus&, const AccountFacts& facts);
    InfectedFiles answer_infected_files(const AskInfectedFiles& asked, const AccountFacts& facts);
    UnscannedFiles answer_unscanned_files(const AskUnscannedFiles& asked, const AccountFacts& facts);
    DisinfectionQueued answer_disinfect(Disinfect asked, const AccountFacts& facts);
    DryRun answer_dry_run(AskDryRun asked, const AccountFacts& facts);
    DisinfectionStatus answer_disinfection(const AskDisinfection& asked, const AccountFacts& facts);
    QuarantinedFiles answer_quarantined_files(const AskQuarantinedFiles& asked, const AccountFacts& facts);
    QuarantineQueued answer_change_quarantine(const ChangeQuarantine& asked, const AccountFacts& facts);
    QuarantineChange answer_quarantine_change(const AskQuarantineChange& asked, const AccountFacts& facts);
    ScanStatistics answer_statistics(const AskStatistics&, const AccountFacts& facts);
    ScanTasks answer_scan_tasks(const AskScanTasks& asked, const AccountFacts& facts);
    ScanEvents answer_scan_events(const AskScanEvents& asked, const AccountFacts& facts);
    History answer_history(const AskHistory& asked, const AccountFacts& facts);
    Accepted answer_start_system_scan(const StartSystemScan& asked, const AccountFacts& facts);

    // The same for the administrator's questions.
    Accepted answer_scan_all(const StartSystemScan& asked);
    SystemScanProgress answer_system_scan(const AskSystemScan&);
    HeldSignatures answer_held_signatures(const AskHeldSignatures&);
    Accepted answer_allow_signature(const AllowSignature& asked);
    Accepted answer_cancel_system_scan(const CancelSystemScan&);
    AllFinds answer_all_finds(const AskAllFinds& asked);
    FindsQueued answer_quarantine_finds(const QuarantineFinds& asked);
    TaskReport answer_task(const AskTask& asked);
    ServiceReport answer_service(const AskService&);

    [[nodiscard]] TaskId prepare(const AccountFacts& facts, std::uint64_t task);
    Task queue(TaskId id, TaskKind kind, const AccountFacts& facts, const Asker& asker);
    [[nodiscard]] std::vector<PlannedAction> plan(const AccountFacts& facts, std::vector<FileAction> asked);
    [[nodiscard]] ScanHistory::Scope scope_of(const AccountFacts& facts);

    [[nodiscard]] std::vector<std::string> scan_warnings(const std::optional<Task>& task);
    [[nodiscard]] bool only_embedded_signatures();

    JobContext context_;
    AccountLookup& accounts_;
    Dispatcher& dispatcher_;
    ScanHistory& history_;
    SystemScans& system_scans_;
    Preparations preparations_;
    const std::set<uid_t> host_users_;
    UniqueFd listener_;
    UniqueFd administrators_listener_;
    EventLoop::Watch listener_watch_;
    EventLoop::Watch administrators_listener_watch_;
    std::map<int, std::unique_ptr<Connection>> connections_;
    std::map<uid_t, Account> by_uid_;
    std::set<int> unflushed_;
    std::uint64_t next_serial_ = 1;
    Deadline signatures_checked_;
    bool embedded_only_ = false;
};

}  // namespace clamscanner
