// Decides every login: penalties first, then the cache, then PAM in a child. Everything that can wait is bounded.
//
// A failure is answered at a time that follows from the arrivals alone, so that it reveals neither whether the name
// exists nor how long PAM took: login.failure_milliseconds after its arrival, or as many times that as those that
// arrived before it may need for their checks (check_allowance each). Only a check that takes still longer moves it, to
// the next multiple. Until then a wrong password counts as being checked, in every respect but its slot.
//
//   slots      strangers use them while no pair of account and origin that succeeded recently waits; such a pair never
//              waits for a stranger: half as many children more (at least one) are for them
//   queues     one for those pairs and one for strangers, by turns (waiting_logins.h); a login holds its place to its
//              answer, even when its client has gone
//   memory     a remembered login is answered without PAM, once PAM has said within a minute that the account is open,
//              for this origin
//   identical  simultaneous logins with the same name and password from one origin share one child; what was wrong a
//              moment ago (login.remote_cache_seconds) is wrong without one
//   penalties  a password that was right at this origin within a day is let through, to the cache or to PAM
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "auth/authd/credential_cache.h"
#include "auth/authd/local_accounts.h"
#include "auth/authd/messages.h"
#include "auth/authd/pam_login.h"
#include "auth/authd/penalties.h"
#include "auth/authd/recent_successes.h"
#include "auth/authd/uninherited_secret.h"
#include "auth/authd/waiting_logins.h"
#include "auth/base/config.h"
#include "auth/base/event_loop.h"

namespace clamscanner {

class LoginDesk {
 public:
    // `account` is set only with Welcome, and valid only during the call.
    using Answer = std::function<void(const LoginAnswer& answer, const Account* account)>;

    // Has a password checked by PAM and calls `done` once, later. Throws std::system_error when the check cannot be
    // started.
    using Checked = std::function<void(const LoginChecked& checked)>;
    using CheckPassword =
        std::function<void(const std::string& user, const Secret& password, const std::string& origin, Checked done)>;

    // `check_account` asks PAM whether an account is open, without a password: for logins that are remembered longer
    // than that may be. Without it, `check_password` does nothing else, and is asked once a minute.
    LoginDesk(EventLoop& loop, CheckPassword check_password, LocalAccounts accounts, const Config& config,
              CheckPassword check_account = nullptr);

    // Calls `answer` once, now or later. The local files are checked once for all logins of one round of the loop:
    // these had arrived when the round began, so the check is never older than a login.
    void answer_login(Login login, Answer answer);

    // Of a local account, as the files are now.
    [[nodiscard]] std::optional<LocalAccounts::Lines> lines_of(const std::string& name) {
        refresh_accounts();
        return accounts_.lines_of(name);
    }

    // The settings have changed, in the Config that this was given.
    void take_settings() { penalties_.take_limits(config_); }

    // Wrong tokens count there as wrong passwords do (token_desk.h).
    [[nodiscard]] Penalties& penalties() noexcept { return penalties_; }

 private:
    struct Question {
        std::string user;
        std::string origin;
        bool known;  // this pair succeeded recently
        Deadline asked;
        Answer answer;
        Fingerprint password;
        bool was_right = false;  // at this origin
        // Whose turn it is.
        [[nodiscard]] std::string sender() const { return known ? user + '\0' + origin : origin; }
    };
    // The state is part of the key: a login after a change of password must not share a check that began before it.
    using CheckKey = std::tuple<CredentialCache::Mac, LocalAccounts::State, std::string>;  // the origin
    struct Check {
        UninheritedSecret password;       // until PAM has it; a child that is forked meanwhile has zeros in its place
        std::string account;              // whose login is remembered, so that only this is asked: is it open?
        std::vector<Question> questions;  // count as one, however many
        Deadline failure_due;             // not before
        EventLoop::Timer later;           // set when PAM could not be asked, or until the failure is answered
    };
    // One of these for known pairs, one for strangers.
    struct Class {
        WaitingLogins<CheckKey> logins;
        std::size_t under_way = 0;
        std::list<EventLoop::Timer> delayed;  // failures that have no check
    };

    [[nodiscard]] CredentialCache::Answer look_up(const Question& question, const CredentialCache::Mac& mac,
                                                  bool is_penalised);
    void answer_welcome(const Question& question, const Account& account);
    void answer_implausible(const Question& question);
    void answer_wrong(const Question& question, Deadline due);
    void check(const CheckKey& key, Secret password, Question question, const std::string& account);
    void wait_for_check(const CheckKey& key, Secret password, const Question& question, const std::string& account);
    void begin_checks();
    void begin_check(const CheckKey& key);
    void end_check(const CheckKey& key, const LoginChecked& checked);
    void settle(const CheckKey& key, const LoginChecked& checked);
    void settle_wrong(const CheckKey& key, const Check& check);
    void settle_welcome(const CheckKey& key, const Check& check, const LoginChecked& checked);
    [[nodiscard]] std::chrono::seconds lifetime_of(const LoginChecked& checked, bool has_lines) const;
    void remember(const CheckKey& key, const Check& check, const LoginChecked& checked);
    [[nodiscard]] Class& class_of(const Question& question) { return question.known ? known_ : strangers_; }
    [[nodiscard]] bool has_place(const Question& question);
    [[nodiscard]] bool may_wait(const Question& question);
    void refuse_waiting(const CheckKey& key);
    [[nodiscard]] bool was_open_lately(const Question& question, const Account& account) const;
    [[nodiscard]] Deadline failure_due(const Question& question, Deadline not_before) const;
    void refresh_accounts();

    EventLoop& loop_;
    const CheckPassword check_password_;
    const CheckPassword check_account_;
    LocalAccounts accounts_;
    std::uint64_t refreshed_in_round_ = 0;  // the round of the last refresh
    const Config& config_;
    CredentialCache cache_;
    Penalties penalties_;
    RecentSuccesses recent_successes_;
    std::map<CheckKey, Check> checks_;
    std::size_t slots_;
    Class known_;
    Class strangers_;
};

}  // namespace clamscanner
