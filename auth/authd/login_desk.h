// Decides every login: penalties first, then the cache, then PAM in a child, with a bound on everything that can wait.
// Whatever is wrong is answered at a fixed time after the question came, so that the time tells nothing: not whether
// the name exists, and not how long PAM took.
//
//   slots      half of the children (one at least) are kept for pairs of account and origin that succeeded lately
//   queues     one for those pairs and one for strangers, each with login.max_waiting places; a failure that waits for
//              its time holds a place too, whether or not anybody still wants to hear it
//   identical  logins at the same time (name and password) share one child
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/authd/credential_cache.h"
#include "auth/authd/lately_succeeded.h"
#include "auth/authd/local_accounts.h"
#include "auth/authd/messages.h"
#include "auth/authd/pam_login.h"
#include "auth/authd/penalties.h"
#include "auth/authd/uninherited_secret.h"
#include "auth/base/config.h"
#include "auth/base/event_loop.h"

namespace clamscanner {

class LoginDesk {
 public:
    // `account` only with Welcome, and only until the call returns.
    using Answer = std::function<void(const LoginAnswer& answer, const Account* account)>;

    // Has a password checked by PAM and calls `done` once, later. Throws std::system_error when no check can be begun.
    using Checked = std::function<void(const LoginChecked& checked)>;
    using CheckPassword =
        std::function<void(const std::string& user, const Secret& password, const std::string& origin, Checked done)>;

    LoginDesk(EventLoop& loop, CheckPassword check_password, LocalAccounts accounts, const Config& config);

    // Calls `answer` once, now or later. The local files are looked at once for all that ask in one round of the loop:
    // they had asked when the round began, so it is never before their question.
    void answer_login(Login login, Answer answer);

 private:
    struct Question {
        std::string user;
        std::string origin;
        bool known;  // this pair succeeded lately
        Deadline asked;
        Answer answer;
    };
    // The lines are part of what makes two logins identical: who asks after a change of the password must not be told
    // what a check found that began before it.
    using CheckKey = std::pair<CredentialCache::Mac, std::optional<LocalAccounts::Lines>>;
    struct Check {
        UninheritedSecret password;  // until PAM has it; a child that is forked meanwhile has zeros in its place
        std::vector<Question> questions;
        std::vector<std::string> origins;  // each counts once, however often it asks
        bool known = false;                // which queue and which slots are meant for it
        EventLoop::Timer failed;           // set when PAM could not be asked
    };
    // What waits, once for known pairs and once for strangers.
    struct Places {
        std::deque<CheckKey> queue;
        std::list<EventLoop::Timer> delayed;  // failures that wait for their time
    };

    [[nodiscard]] bool answered_from_cache(const Question& question, const CredentialCache::Mac& mac,
                                           bool origin_is_penalised);
    void answer_implausible(const Question& question);
    void answer_wrong(const Question& question);
    void wait_for_check(const CheckKey& key, Secret password, Question question);
    void begin_checks();
    void begin_check(const CheckKey& key);
    void end_check(const CheckKey& key, const LoginChecked& checked);
    void remember(const CheckKey& key, const Check& check, const LoginChecked& checked);
    [[nodiscard]] Places& places(bool known) { return known ? known_ : strangers_; }
    [[nodiscard]] bool is_full(bool known);
    void look_at_accounts();

    EventLoop& loop_;
    const CheckPassword check_password_;
    LocalAccounts accounts_;
    std::uint64_t looked_in_ = 0;  // the round of the last look at them
    const Config& config_;
    CredentialCache cache_;
    Penalties penalties_;
    LatelySucceeded lately_;
    std::map<CheckKey, Check> checks_;
    Places known_;
    Places strangers_;
    std::size_t slots_;
    std::size_t strangers_slots_;
    std::size_t under_way_ = 0;
    std::size_t strangers_under_way_ = 0;
};

}  // namespace clamscanner
