#include "auth/authd/runners.h"

#include "auth/authd/pam_login.h"
#include "auth/base/log.h"
#include "auth/base/priority.h"
#include "auth/base/socket.h"
#include "auth/identity/become_user.h"

namespace clamscanner {
namespace {

// Of the account's processes: those that were killed and wait in the kernel for its files. There is no end to how many
// an account could leave there, with a file system of its own. A task that has got nowhere before is not tried again
// beside even one: of several processes that meet the same file, all but the first may wait in a way that a signal
// ends.
constexpr std::size_t most_ending = 2;
constexpr std::size_t most_ending_if_again = 1;

RunnerVerdict verdict_on(const Config& config, const StartRunner& request, Account& account) {
    // Name and home of the uid must match: a uid that now belongs to somebody else gets no runner for the former
    // owner's tasks.
    if (!find_account(uid_t{request.uid}, account) || account.name != request.name || !is_served(account, config))
        return RunnerVerdict::NoAccount;
    if (request.home != HomeIdentity{} && request.home != home_identity(account.home)) return RunnerVerdict::NoAccount;
    return pam_account_is_open(config, account.name);
}

// In the child.
void become_runner(const Config& config, const std::string& config_file, const StartRunner& request, int report) {
    Account account;
    const auto verdict = verdict_on(config, request, account);
    if (send_message(report, RunnerAnswer{verdict}) != Sent::Yes) die("cannot report to authd");
    if (verdict != RunnerVerdict::Started) return;
    use_idle_priority();
    become_for_good(account);
    die_with_authd();
    exec_clean(account, config.program("clamscanner-runner"), {"--config", config_file}, 4, true);
}

}  // namespace

Runners::~Runners() {
    for (auto& [session, runner] : runners_) {
        runner.watch = {};
        runner.process.leave();
    }
}

void Runners::start(std::uint64_t session, const StartRunner& request, UniqueFd conversation, Answer answer) {
    if (runners_.size() >= 2 * config_.jobs.max_running + 8) {
        log_line(Severity::Warning, "too many runners");
        return answer(RunnerVerdict::Unavailable);
    }
    try {
        if (held_.include(request.name, request.uid)) return answer(RunnerVerdict::Held);
        if (children_.ending(request.uid) >= (request.again ? most_ending_if_again : most_ending))
            return answer(children_.hangs(request.uid) ? RunnerVerdict::FilesHang : RunnerVerdict::Unavailable);
        const auto child = children_.begin(
            {conversation.get()}, std::chrono::seconds(config_.login.pam_seconds),
            [&](int report) { become_runner(config_, config_file_, request, report); },
            [this, session](const std::string& report, ChildProcess process) {
                take_report(session, report_or_fault<RunnerAnswer>(report).verdict, std::move(process));
            });
        runners_[session] = {child, {}, {}, std::move(answer), request.uid};
    } catch (const std::exception& fault) {
        log_line(Severity::Error, std::string("cannot start a runner: ") + fault.what());
        answer(RunnerVerdict::Unavailable);
    }
}

void Runners::take_report(std::uint64_t session, RunnerVerdict verdict, ChildProcess process) {
    auto& runner = runners_.at(session);
    const auto answer = runner.answer;
    if (verdict == RunnerVerdict::Started) {
        runner.child = 0;
        runner.process = std::move(process);
        runner.watch =
            loop_.watch(runner.process.pidfd(), EPOLLIN, [this, session](std::uint32_t) { take_end(session); });
    } else {
        const uid_t uid = runner.uid;
        runners_.erase(session);
        children_.kill_and_reap(std::move(process), uid);
    }
    answer(verdict);
}

void Runners::take_end(std::uint64_t session) {
    runners_.erase(session);
}

void Runners::stop(std::uint64_t session) {
    if (!runners_.contains(session)) return;
    auto runner = std::move(runners_.extract(session).mapped());
    if (!runner.process) return children_.abandon(runner.child, runner.uid);
    runner.watch = {};  // children_ watches for its end now
    children_.kill_and_reap(std::move(runner.process), runner.uid);
}

void Runners::end_all_of(uid_t uid, std::function<void()> gone) {
    std::vector<std::uint64_t> sessions;
    for (const auto& [session, runner] : runners_)
        if (runner.uid == uid) sessions.push_back(session);
    for (const auto session : sessions) {
        // Before the runner is gone: so jobd knows why it went.
        runners_.at(session).answer(RunnerVerdict::Held);
        stop(session);
    }
    children_.when_gone(uid, std::move(gone));
}

}  // namespace clamscanner
