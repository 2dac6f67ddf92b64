#include "jobs/jobd/request_server.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "auth/base/audit.h"
#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "jobs/jobd/brake.h"
#include "jobs/jobd/disinfection_job.h"
#include "jobs/jobd/list_piece.h"
#include "jobs/jobd/unreached_files.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/signature_directory.h"

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
constexpr auto signatures_check_interval = 10s;
// Of the administrator's questions, that one piece looks at.
constexpr std::size_t finds_at_once = 500;

std::string files(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " file was" : " files were");
}

std::string log_path(const AccountFacts& facts) {
    return path_in(facts.home, ".clamavconnector.disinfection.log");
}

template <class Answer>
Encoded answer_or_decline(Answer answer) {
    try {
        return answer();
    } catch (const Declined& declined) {
        return encode(declined);
    }
}

constexpr const char* too_slow_text = "The request took too long, so nothing was done; try again.";
constexpr const char* busy_text =
    "A scan or a disinfection is already queued or running for this account; wait until it has ended.";

}  // namespace

RequestServer::RequestServer(const JobContext& context, AccountLookup& accounts, Dispatcher& dispatcher,
                             ScanHistory& history, SystemScans& system_scans, std::set<uid_t> host_users)
    : context_(context),
      accounts_(accounts),
      dispatcher_(dispatcher),
      history_(history),
      system_scans_(system_scans),
      preparations_(context.loop, context.ledger),
      host_users_(std::move(host_users)),
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
bool RequestServer::may_ask(uid_t uid, bool as_administrator) const {
    if (as_administrator) return uid == ::geteuid();
    return uid >= context_.config.login.uid_floor || host_users_.contains(uid);
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
    if (!may_ask(uid, for_administrator) || !make_room(uid)) return;
    const int fd = socket.get();
    auto connection = std::make_unique<Connection>();
    connection->socket = std::move(socket);
    connection->watch = context_.loop.watch(fd, EPOLLIN, [this, fd](std::uint32_t events) { take(fd, events); });
    connection->of_administrator = for_administrator;
    connection->uid = uid;
    connection->serial = next_serial_++;
    by_uid_[uid].connections.insert(fd);
    restart_deadline(fd, *connection);
    connections_.emplace(fd, std::move(connection));
}

void RequestServer::close(int fd) {
    const auto found = connections_.extract(fd);
    const auto& connection = *found.mapped();
    unflushed_.erase(fd);
    const auto account = by_uid_.find(connection.uid);
    account->second.buffered -= connection.in.size() + connection.out.size();
    account->second.connections.erase(fd);
    if (account->second.connections.empty() && Clock::now() >= account->second.paused_until) by_uid_.erase(account);
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
    if ((events & EPOLLOUT) != 0) unflushed_.insert(fd);
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
        const Got got = connection.in.read_from(fd);
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
    auto question = connection.in.next();
    if (!question) return;
    account.buffered -= question->size() + frame_header;
    if (connection.of_administrator) return answer_administrator(fd, connection, *question);
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

void RequestServer::close_malformed(int fd, const Malformed& wrong) {
    log_line(Severity::Warning,
             "closing a connection of uid " + std::to_string(connections_.at(fd)->uid) + ": " + wrong.what());
    close(fd);
}

// Of our own user nothing needs to be known, and nobody's home is looked at for the administrator.
void RequestServer::answer_administrator(int fd, Connection& connection, const std::string& question) try {
    answer(connection, {}, question);
} catch (const Malformed& wrong) {
    close_malformed(fd, wrong);
}

void RequestServer::answer(Connection& connection, const AccountFacts& facts, const std::string& question) {
    using Row = Handler<RequestServer, Encoded, const AccountFacts&>;
    static constexpr Row of_agents[] = {
        handles<&RequestServer::answer_start_scan>,        handles<&RequestServer::answer_cancel_scan>,
        handles<&RequestServer::answer_scan_status>,       handles<&RequestServer::answer_infected_files>,
        handles<&RequestServer::answer_unscanned_files>,   handles<&RequestServer::answer_disinfect>,
        handles<&RequestServer::answer_dry_run>,           handles<&RequestServer::answer_disinfection>,
        handles<&RequestServer::answer_quarantined_files>, handles<&RequestServer::answer_change_quarantine>,
        handles<&RequestServer::answer_quarantine_change>, handles<&RequestServer::answer_statistics>,
        handles<&RequestServer::answer_scan_tasks>,        handles<&RequestServer::answer_scan_events>,
        handles<&RequestServer::answer_start_system_scan>, handles<&RequestServer::answer_history>,
    };
    static constexpr Row of_administrator[] = {
        handles<&RequestServer::answer_scan_all>,
        handles<&RequestServer::answer_system_scan>,
        handles<&RequestServer::answer_held_signatures>,
        handles<&RequestServer::answer_allow_signature>,
        handles<&RequestServer::answer_cancel_system_scan>,
        handles<&RequestServer::answer_all_finds>,
        handles<&RequestServer::answer_quarantine_finds>,
        handles<&RequestServer::answer_task>,
        handles<&RequestServer::answer_service>,
    };
    const auto table = connection.of_administrator ? std::span<const Row>(of_administrator) : std::span(of_agents);

    const auto began = Clock::now();
    reply(connection, answer_or_decline([&] { return dispatch(table, *this, question, facts); }));
    const auto cost = Clock::now() - began;
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
    const auto unflushed = std::exchange(unflushed_, {});
    for (const int fd : unflushed) {
        const auto found = connections_.find(fd);
        if (found == connections_.end()) continue;
        Connection& connection = *found->second;
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
            // A question that arrived together with the last one is in our buffer already, so no event will announce
            // it.
            if (connection.in.size() > 0) pause(fd, connection, Clock::duration::zero());
        }
    }
}

// ---- Answers -------------------------------------------------------------------------------------------------------

Accepted RequestServer::answer_start_scan(const StartScan& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    if (!context_.config.scan_of(asked.scan_type).allowed)
        throw Declined{"scan_type: the administrator has switched off scans of " +
                       std::string(row_of(asked.scan_type).name) + "."};
    const auto id =
        ledger.tasks().queue_scan(ledger.tasks().account_of(facts), asked.scan_type, asked.as_system, asked.full);
    if (!id) throw Declined{busy_text};
    ledger.note_asked(*id, asked.asker);
    dispatcher_.add({ledger.tasks().get(*id), facts});
    return {};
}

bool RequestServer::only_embedded_signatures() {
    const auto now = Clock::now();
    if (now - signatures_checked_ > signatures_check_interval) {
        const auto& directory = context_.config.paths.signature_directory;
        // Whether what we may not read holds one, the engine tells: it may be allowed to.
        embedded_only_ = listing_of(directory).problem.empty() && !holds_signatures(directory);
        signatures_checked_ = now;
    }
    return embedded_only_;
}

std::vector<std::string> RequestServer::scan_warnings(const std::optional<Task>& task) {
    std::vector<std::string> warnings;
    const bool embedded_only =
        task && task->state == TaskState::Ended ? task->embedded_signatures : only_embedded_signatures();
    const std::string problem = task ? task->signature_problem : std::string();
    if (task && task->embedded_signatures && !problem.empty())
        warnings.push_back("Only the built-in test signatures are known, so real viruses are not found (" +
                           printable(problem) + "). Ask your administrator to mend that.");
    else if (embedded_only)
        warnings.emplace_back(
            "No virus signature database is installed: only the built-in test signatures are known, so real viruses "
            "are "
            "not found. Ask your administrator to install ClamAV's database.");
    if (!task) return warnings;
    if (!task->embedded_signatures && !problem.empty())
        warnings.push_back("Signatures could not be loaded: " + printable(problem) + ".");
    if (task->state == TaskState::Ended && task->outcome == Outcome::EndedEarly) {
        warnings.push_back("The scan ended early (" + printable(task->why) +
                           "): what it had not reached was not scanned.");
    } else if (task->outcome == Outcome::Cancelled) {
        warnings.emplace_back("The scan was cancelled: what it had not reached was not scanned.");
    } else if (task->state != TaskState::Ended && task->outcome == Outcome::None && !task->why.empty()) {
        warnings.push_back("The scan waits: " + task->why + ".");
    }
    for (const auto& [reason, count] : context_.ledger.tasks().unscanned_counts(task->id))
        warnings.push_back(files(count) + " not scanned: " + text_of(reason) + ".");
    for (auto& warning : warnings) warning.resize(std::min(warning.size(), longest_message));
    return warnings;
}

ScanStatus RequestServer::answer_scan_status(const AskScanStatus&, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    const auto task = ledger.tasks().last(ledger.tasks().account_of(facts), TaskKind::Scan);
    ScanStatus status;
    status.warnings = scan_warnings(task);
    if (!task) {
        status.messages.emplace_back("No scan has been started yet.");
        return status;
    }
    status.ever_started = true;
    status.complete = task->state == TaskState::Ended;
    status.time_started = task->created_ms / 1000;
    status.total_files = task->total_files;
    status.total_bytes = task->total_bytes;
    // After an early end there is nothing left to wait for: what was not reached counts as not scanned.
    status.scanned_files = status.complete ? task->total_files : std::min(task->scanned_files, task->total_files);
    status.scanned_bytes = task->scanned_bytes;
    if (task->outcome == Outcome::Completed) {
        const auto known = task->known_files + task->known_infected;
        status.messages.push_back(
            std::to_string(task->total_files - known) + " scanned, " + std::to_string(task->known_files) +
            " known clean" +
            (task->known_infected > 0 ? ", " + std::to_string(task->known_infected) + " known to be infected" : "") +
            " (what is known was scanned before, has not changed since, and was not read again).");
    }
    if (const auto clean = ledger.quarantine().count_clean(task->account); clean > 0)
        status.messages.push_back(std::to_string(clean) +
                                  (clean == 1 ? " file in quarantine is" : " files in quarantine are") +
                                  " clean by today's signatures and can be restored.");
    if (!status.complete) status.current_file = dispatcher_.current_file(task->id);
    status.infected_files = task->infected_files;
    return status;
}

InfectedFiles RequestServer::answer_infected_files(const AskInfectedFiles& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    InfectedFiles infected;
    if (const auto task = ledger.tasks().last(ledger.tasks().account_of(facts), TaskKind::Scan)) {
        auto listed = ledger.finds().infected_files(task->id, static_cast<std::int64_t>(asked.after & INT64_MAX),
                                                    piece_budget, asked.with_gone);
        infected.files = std::move(listed.files);
        infected.scan = static_cast<std::uint64_t>(task->id);
        infected.next = static_cast<std::uint64_t>(listed.next);
    }
    return infected;
}

// Returns Declined if two actions name the same file.
std::vector<PlannedAction> RequestServer::plan(const AccountFacts& facts, std::vector<FileAction> asked) {
    auto& ledger = context_.ledger;
    std::vector<PlannedAction> planned;
    const auto conflict =
        ledger.finds().resolve(ledger.tasks().account_of(facts), facts.home, std::move(asked), planned);
    if (!conflict) return planned;
    constexpr std::size_t shown = 400;
    throw Declined{"actions: " + printable(conflict->first.substr(0, shown)) + " and " +
                   printable(conflict->second.substr(0, shown)) +
                   " are the same file, but their actions differ. Give each file one action."};
}

namespace {

// Only the runner looks into files, so it is not known here which of them is a mailbox.
constexpr const char* only_a_mailbox = ", and a mailbox of many messages in one file; anything else is an error";

RecordState planned_state(Action action) {
    if (action == Action::CleanseMailbox) return RecordState::MailboxCleansed;
    return action == Action::Delete ? RecordState::Deleted : RecordState::Quarantined;
}

}  // namespace

DryRun RequestServer::answer_dry_run(AskDryRun asked, const AccountFacts& facts) {
    DryRun answer;
    for (auto& action : plan(facts, std::move(asked.actions))) {
        Record step{action.number, RecordType::Step, RecordState::Error, std::move(action.path), ""};
        if (!action.listed) {
            step.message = not_listed_text;
        } else if (action.action == Action::Ignore) {
            step.state = RecordState::NoAction;
            step.message = ignored_text;
        } else {
            step.state = planned_state(action.action);
            step.message = "if it is still infected when it is scanned again";
            if (action.action == Action::CleanseMailbox) step.message += only_a_mailbox;
        }
        answer.steps.push_back(std::move(step));
    }
    return answer;
}

DisinfectionQueued RequestServer::answer_disinfect(Disinfect asked, const AccountFacts& facts) {
    if (asked.actions.empty()) throw Malformed("a disinfection without actions");
    auto& ledger = context_.ledger;
    const auto id = prepare(facts, asked.task);
    try {
        ledger.records().add_actions(id, plan(facts, std::move(asked.actions)));
    } catch (const Declined&) {
        preparations_.abandon(id);
        throw;
    }
    if (asked.more) return {"", "", static_cast<std::uint64_t>(id)};
    const Task task = queue(id, TaskKind::Disinfection, facts, asked.asker);
    return {task_name(task), log_path(facts), static_cast<std::uint64_t>(id)};
}

TaskId RequestServer::prepare(const AccountFacts& facts, std::uint64_t task) {
    const auto id =
        preparations_.take(context_.ledger.tasks().account_of(facts), static_cast<TaskId>(task & INT64_MAX));
    if (!id) throw Declined{task == 0 ? busy_text : too_slow_text};
    return *id;
}

Task RequestServer::queue(TaskId id, TaskKind kind, const AccountFacts& facts, const Asker& asker) {
    preparations_.finish(id, kind);
    context_.ledger.note_asked(id, asker);
    const Task task = context_.ledger.tasks().get(id);
    dispatcher_.add({task, facts});
    return task;
}

DisinfectionStatus RequestServer::answer_disinfection(const AskDisinfection& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    DisinfectionStatus status;
    status.log = log_path(facts);
    const auto task = ledger.tasks().last(ledger.tasks().account_of(facts), TaskKind::Disinfection);
    if (!task) return status;
    // A number that this log has not reached belongs to an earlier log, so the client gets all of this one.
    const std::uint64_t after = asked.last_id > task->last_record ? 0 : asked.last_id;
    auto found = ledger.records().records_after(task->id, after, piece_budget, most_entries);
    status.task = static_cast<std::uint64_t>(task->id);
    status.records = std::move(found.records);
    status.more = found.cut;
    if (task->state == TaskState::Ended)
        status.state = found.cut ? DisinfectionState::Running : DisinfectionState::Done;
    else
        status.state = task->state == TaskState::Running || task->last_record > 0 ? DisinfectionState::Running
                                                                                  : DisinfectionState::Queued;
    if (task->state != TaskState::Ended && !task->why.empty())
        status.warnings.push_back(("The disinfection waits: " + task->why + ".").substr(0, longest_message));
    return status;
}

// ---- Cancelled scans and unscanned files ----------------------------------------------------------------------------

Accepted RequestServer::answer_cancel_scan(const CancelScan&, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    const auto task = ledger.tasks().active(ledger.tasks().account_of(facts));
    if (!task || task->kind != TaskKind::Scan || task->outcome != Outcome::None)
        throw Declined{"No scan is queued or running, so there is none to cancel."};
    dispatcher_.cancel_scan(task->id, facts);
    return {};
}

namespace {

// This `after` means files that an unfinished scan did not reach, by their place in the list of the walk.
constexpr std::uint64_t unreached = 1ULL << 62;

}  // namespace

UnscannedFiles RequestServer::answer_unscanned_files(const AskUnscannedFiles& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    UnscannedFiles unscanned;
    const auto task = ledger.tasks().last(ledger.tasks().account_of(facts), TaskKind::Scan);
    if (!task) return unscanned;
    unscanned.scan = static_cast<std::uint64_t>(task->id);
    const bool has_unreached =
        task->state == TaskState::Ended && task->outcome != Outcome::Completed && task->list_bytes > 0;
    if (asked.after < unreached) {
        auto found = ledger.finds().unscanned_files(task->id, static_cast<std::int64_t>(asked.after), piece_budget);
        unscanned.files = std::move(found.files);
        unscanned.next = static_cast<std::uint64_t>(found.next);
        if (unscanned.next == 0 && has_unreached) unscanned.next = unreached;
    } else if (has_unreached) {
        unscanned.place = asked.place;
        if (add_unreached(context_.config, ledger, *task, facts.home, unscanned.place, unscanned))
            unscanned.next = unreached;
    }
    return unscanned;
}

// ---- The quarantine ------------------------------------------------------------------------------------------------

QuarantinedFiles RequestServer::answer_quarantined_files(const AskQuarantinedFiles& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    auto found = ledger.quarantine().listed(ledger.tasks().account_of(facts),
                                            static_cast<std::int64_t>(asked.after & INT64_MAX), piece_budget);
    return {std::move(found.files), static_cast<std::uint64_t>(found.next)};
}

QuarantineQueued RequestServer::answer_change_quarantine(const ChangeQuarantine& asked, const AccountFacts& facts) {
    if (asked.ids.empty()) throw Malformed("a quarantine change without ids");
    auto& ledger = context_.ledger;
    const auto id = prepare(facts, asked.task);
    ledger.records().add_changes(id, ledger.tasks().account_of(facts), asked.ids,
                                 asked.restore ? Action::Restore : Action::Discard);
    if (!asked.more) static_cast<void>(queue(id, TaskKind::Restoration, facts, asked.asker));
    return {static_cast<std::uint64_t>(id)};
}

QuarantineChange RequestServer::answer_quarantine_change(const AskQuarantineChange& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    const auto task = ledger.tasks().last(ledger.tasks().account_of(facts), TaskKind::Restoration);
    // A later request of the same account may have replaced this task; then this one is over.
    if (!task || static_cast<std::uint64_t>(task->id) != asked.task) return {true, {}, 0};
    auto changed =
        ledger.records().changed_files(task->id, static_cast<std::int64_t>(asked.after & INT64_MAX), piece_budget);
    return {task->state == TaskState::Ended, std::move(changed.files), static_cast<std::uint64_t>(changed.next)};
}

// ---- The account's own trail ---------------------------------------------------------------------------------------

History RequestServer::answer_history(const AskHistory& asked, const AccountFacts& facts) {
    auto& ledger = context_.ledger;
    return ledger.history().of_account(ledger.tasks().account_of(facts), asked.after);
}

// ---- Statistics ----------------------------------------------------------------------------------------------------

ScanHistory::Scope RequestServer::scope_of(const AccountFacts& facts) {
    if (host_users_.contains(facts.uid)) return {true, 0};
    return {false, context_.ledger.tasks().account_of(facts)};
}

ScanStatistics RequestServer::answer_statistics(const AskStatistics&, const AccountFacts& facts) {
    return history_.statistics(scope_of(facts));
}

ScanTasks RequestServer::answer_scan_tasks(const AskScanTasks& asked, const AccountFacts& facts) {
    return history_.tasks(scope_of(facts), asked.filter, asked.offset, std::min(asked.limit, longest_page));
}

ScanEvents RequestServer::answer_scan_events(const AskScanEvents& asked, const AccountFacts& facts) {
    return history_.events(scope_of(facts), asked.offset, std::min(asked.limit, longest_page), longest_jobs_answer / 2);
}

Accepted RequestServer::answer_start_system_scan(const StartSystemScan& asked, const AccountFacts& facts) {
    if (!scope_of(facts).host) throw Declined{"Only the administrator may have all accounts scanned."};
    return answer_scan_all(asked);
}
// ---- The administrator ---------------------------------------------------------------------------------------------

Accepted RequestServer::answer_scan_all(const StartSystemScan& asked) {
    std::vector<uid_t> uids;
    for (const auto& account : asked.accounts)
        if (account.uid >= context_.config.login.uid_floor) uids.push_back(account.uid);
    if (auto why = system_scans_.begin(uids, asked.asker.by); !why.empty()) throw Declined{std::move(why)};
    return {};
}

SystemScanProgress RequestServer::answer_system_scan(const AskSystemScan&) {
    return history_.system_scan_progress();
}

HeldSignatures RequestServer::answer_held_signatures(const AskHeldSignatures&) {
    return {Brake(context_.ledger, context_.config).held()};
}

Accepted RequestServer::answer_allow_signature(const AllowSignature& asked) {
    if (Brake(context_.ledger, context_.config).allow(asked.signature)) {
        AuditEvent("deletions allowed").text("signature", asked.signature).text("by", "administrator").write();
        return {};
    }
    throw Declined{"No signature " + printable(asked.signature) + " is held. --list-held shows those that are."};
}

Accepted RequestServer::answer_cancel_system_scan(const CancelSystemScan&) {
    if (system_scans_.cancel()) return {};
    throw Declined{"No scan of all accounts is under way."};
}

AllFinds RequestServer::answer_all_finds(const AskAllFinds& asked) {
    return context_.ledger.finds().all_finds(asked.after & INT64_MAX, asked.signature, finds_at_once);
}

FindsQueued RequestServer::answer_quarantine_finds(const QuarantineFinds& asked) {
    auto& ledger = context_.ledger;
    const auto account = ledger.tasks().find_account(static_cast<AccountId>(asked.account & INT64_MAX));
    if (!account) throw Declined{"There is no such account."};
    FindsQueued queued{asked.task, asked.after & INT64_MAX, 0};
    const auto paths =
        ledger.finds().paths_of(static_cast<AccountId>(asked.account), asked.signature, queued.after, finds_at_once);
    if (asked.task == 0 && paths.empty() && queued.after == 0)
        throw Declined{"Its last scan found nothing by this signature that is still there."};
    const auto id = prepare(*account, asked.task);
    std::vector<FileAction> actions;
    for (const auto& path : paths) actions.push_back({path, Action::Quarantine});
    ledger.records().add_actions(id, plan(*account, std::move(actions)));
    queued.task = static_cast<std::uint64_t>(id);
    queued.files = paths.size();
    if (queued.after == 0) queue(id, TaskKind::Disinfection, *account, {AskedBy::Administrator});
    return queued;
}

TaskReport RequestServer::answer_task(const AskTask& asked) {
    auto entry = context_.ledger.history().of_task(static_cast<TaskId>(asked.task & INT64_MAX));
    if (!entry) return {};
    return {true, *std::move(entry)};
}

ServiceReport RequestServer::answer_service(const AskService&) {
    constexpr std::size_t failures_shown = 5;
    auto& ledger = context_.ledger;
    ServiceReport report;
    dispatcher_.report(report);
    for (const auto& held : Brake(ledger, context_.config).held()) report.held_signatures += held.allowed ? 0 : 1;
    report.database_bytes = ledger.database().size();
    const auto quarantine = ledger.quarantine().sums();
    report.quarantined_files = quarantine.files;
    report.quarantined_bytes = quarantine.bytes;
    report.failures = ledger.history().failures(failures_shown);
    return report;
}

}  // namespace clamscanner
