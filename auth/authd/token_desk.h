// Decides every login by an API token, and carries out what an account's owner wants done with the account's tokens.
//
//   a login    penalties, as for passwords and counted together with them (except that a right token passes where it
//              succeeded recently: 165 bits cannot be guessed, so it is no oracle); the token's hash, compared in
//              constant time; whether it has expired; whether PAM says that the account is open, asked at most once a
//              minute for each account and origin; whether it was made for this account rather than an earlier one of
//              the name; whether the account's shadow line is as it was then. A wrong token is answered at a fixed
//              time.
//   an order   needs the password, checked as for every login, or a token that may do it. No token can make a token:
//              that takes the password, so whoever steals one cannot keep what it gives. List, rename and revoke are
//              for tokens of full access too.
//
// Changes are written by a child, one at a time for each account, so that neither a slow disk nor an account that
// orders one after the other holds up others.
#pragma once

#include <ctime>
#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "auth/authd/api_tokens.h"
#include "auth/authd/login_desk.h"
#include "auth/authd/messages.h"
#include "auth/authd/token_change.h"
#include "auth/base/config.h"
#include "auth/base/event_loop.h"
#include "auth/identity/held_accounts.h"

namespace clamscanner {

class TokenDesk {
 public:
    static constexpr std::size_t most_changes = 16;  // written at a time

    // As SignatureDesk's, with the message for the agent.
    using Answer = std::function<void(const LoginAnswer& answer, const Account* account, const Serve& serve)>;
    using OrderAnswer = std::function<void(TokenAnswer answer)>;

    // Has change_tokens() run and calls `done` once, later. Throws std::system_error when it cannot be started.
    using Changed = std::function<void(TokenChanged changed)>;
    using Change = std::function<void(TokenChange change, Changed done)>;

    struct Clocks {
        std::function<Deadline()> now = [] { return Clock::now(); };
        std::function<std::int64_t()> wall = [] { return std::int64_t{std::time(nullptr)}; };
        std::string shadow = "/etc/shadow";
    };

    // `logins` checks passwords. `accounts` is a separate desk, whose check asks PAM about the account only and that
    // remembers the answer for each "password" it is given, which is the origin here.
    TokenDesk(EventLoop& loop, LoginDesk& logins, LoginDesk& accounts, Change change, const Config& config,
              Clocks clocks);

    // Each calls `answer` once, now or later.
    void answer_login(const TokenLogin& login, const Answer& answer);
    void answer_order(TokenOrder order, const OrderAnswer& answer);

    // Tells later whether that token still is one and has not expired: it may have been revoked since it was found
    // right. Holds no token.
    [[nodiscard]] std::function<bool()> watch(const TokenLogin& login);

 private:
    struct Question {
        std::string user;
        std::string origin;
        std::string digest;  // of the token
        std::string address;
        bool known;  // this account's tokens were right from this origin recently
        Deadline asked;
    };
    // The token is set only with Welcome, and valid only during the call.
    using Checked = std::function<void(const LoginAnswer& answer, const Account* account, const ApiToken* token)>;

    void check(const std::string& user, const Secret& token, const std::string& address, const Checked& done);
    void check_account(const Question& question, const Checked& done);
    [[nodiscard]] const ApiToken* find(const Question& question);
    void end_check(const Question& question, const Account& account, const Checked& done);
    [[nodiscard]] LoginVerdict verdict_on(const Question& question);
    [[nodiscard]] LoginVerdict verdict_on(const Question& question, const Account& account,
                                          std::optional<ApiToken>& token);
    [[nodiscard]] bool is_expired(const ApiToken& token) const;
    [[nodiscard]] bool is_suspended(const ApiToken& token, const Account& account);
    [[nodiscard]] std::uint32_t penalty_of(const Question& question);
    void note_use(const Question& question, const Account& account, const ApiToken& token);
    void answer_wrong(const Question& question, const Checked& done);

    void order_by_token(TokenOrder order, const OrderAnswer& answer);
    void order_by_password(TokenOrder order, const OrderAnswer& answer);
    [[nodiscard]] bool has_changed(const std::optional<LocalAccounts::Lines>& before, const std::string& user,
                                   const Account& account);
    void carry_out(const TokenOrder& order, const Account& account, const OrderAnswer& answer);
    [[nodiscard]] TokenAnswer list(const Account& account);
    [[nodiscard]] TokenState state_of(const ApiToken& token, const Account& account);
    void begin_change(const TokenOrder& order, const Account& account, const OrderAnswer& answer);
    [[nodiscard]] std::int64_t expiry_of(const TokenOrder& order) const;
    [[nodiscard]] const ShadowLine& shadow_of(const std::string& user);

    EventLoop& loop_;
    LoginDesk& logins_;
    LoginDesk& accounts_;
    Penalties& penalties_;
    const Change change_;
    const Config& config_;
    const Clocks clocks_;
    TokenFiles files_;
    HeldAccounts held_;
    RecentSuccesses recent_successes_;
    std::set<std::string> changing_;             // accounts whose tokens are being written
    std::list<EventLoop::Timer> delayed_known_;  // failures that are not answered yet
    std::list<EventLoop::Timer> delayed_strangers_;
    FileVersion shadow_version_{};
    std::unordered_map<std::string, ShadowLine> shadow_lines_;  // as of that version
};

}  // namespace clamscanner
