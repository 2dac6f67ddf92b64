// Runners: processes that run as an account's user and work on one of jobd's tasks. jobd may only name an account; a
// child of authd looks it up, asks PAM whether it is open, becomes it and executes clamscanner-runner.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "auth/authd/children.h"
#include "auth/authd/messages.h"
#include "auth/base/config.h"
#include "auth/identity/held_accounts.h"

namespace clamscanner {

class Runners {
 public:
    using Answer = std::function<void(RunnerVerdict verdict)>;

    Runners(EventLoop& loop, Children& children, const Config& config, std::string config_file)
        : loop_(loop),
          children_(children),
          config_(config),
          config_file_(std::move(config_file)),
          held_(config.held_accounts()) {}

    ~Runners();
    Runners(const Runners&) = delete;
    Runners& operator=(const Runners&) = delete;

    // `session` identifies it for the caller, and is never reused. Calls `answer` once, later or now;
    // and again, with Held, if end_all_of() kills the runner. `conversation` is
    // jobd's descriptor, which the runner is born with as its fd 3; by its other end jobd learns when the runner ends.
    void start(std::uint64_t session, const StartRunner& request, UniqueFd conversation, Answer answer);
    // Kills the runner. No callback is called afterwards.
    void stop(std::uint64_t session);
    // Kills the runners of that uid, and calls `gone` once no child of that uid is left, agents included.
    void end_all_of(uid_t uid, std::function<void()> gone);

 private:
    struct Runner {
        std::uint64_t child = 0;  // the child's number until it has reported
        ChildProcess process;     // from then on
        EventLoop::Watch watch;   // for its end
        Answer answer;
        uid_t uid = 0;
    };
    void take_report(std::uint64_t session, RunnerVerdict verdict, ChildProcess process);
    void take_end(std::uint64_t session);

    EventLoop& loop_;
    Children& children_;
    const Config& config_;
    const std::string config_file_;
    HeldAccounts held_;
    std::unordered_map<std::uint64_t, Runner> runners_;
};

}  // namespace clamscanner
