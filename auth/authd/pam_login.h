// Asks PAM. Runs in a child that authd forks for one login or one runner, because PAM's modules and the name service
// may take as long as they like, and may do anything to the process they run in.
#pragma once

#include <optional>
#include <string>

#include "auth/authd/account_generation.h"
#include "auth/authd/messages.h"
#include "auth/base/account.h"
#include "auth/base/config.h"
#include "auth/base/secret.h"

namespace clamscanner {

// What the child reports: without the account's generation and without having looked at the home, which may hang.
struct LoginChecked {
    static constexpr auto type = MessageType::LoginChecked;
    LoginVerdict verdict = LoginVerdict::Unavailable;
    bool one_prompt = false;  // exactly one hidden prompt was asked: the password alone decided
    bool is_local = false;    // the password is the one in the account's shadow line
    Account account;          // if welcome
    void fields(auto& wire) {
        wire.choice(verdict, last_login_verdict);
        wire.number(one_prompt);
        wire.number(is_local);
        wire.text(account.name, longest_user_name);
        wire.number(account.uid);
        wire.number(account.gid);
        wire.text(account.home, 4096);
        wire.text(account.generation, longest_generation);
    }
};

// Welcome, Wrong, Forbidden (only after the password was right) or Unavailable. `origin` goes into PAM_RHOST. A wrong
// password costs the same work whether or not the name exists, or has a password.
[[nodiscard]] LoginChecked pam_login(const Config& config, const std::string& user, const Secret& password,
                                     const std::string& origin, const std::string& shadow_file = "/etc/shadow");

// The same without a password, for a client that was authenticated in another way. Without an `origin` PAM is told
// none.
[[nodiscard]] LoginChecked pam_account(const Config& config, const std::string& user, const std::string& origin = "");

// What was checked, with the generation of a welcome account. `home`: empty if it does not answer.
[[nodiscard]] LoginChecked with_home(LoginChecked checked, const std::optional<HomeIdentity>& home,
                                     const Config& config);

// Started if PAM says that the account is open now, else Suspended or Unavailable.
[[nodiscard]] RunnerVerdict pam_account_is_open(const Config& config, const std::string& user);

}  // namespace clamscanner
