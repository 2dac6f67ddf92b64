// Decides every signed request. The first check that fails is the answer, in this order: the key, the time, the
// signature, the nonce, whether an action is named; then whether PAM says that the account is open (asked and
// remembered as for logins), and whether the key was made for this account rather than an earlier one of the same name.
#pragma once

#include <functional>
#include <string>

#include "auth/authd/access_keys.h"
#include "auth/authd/login_desk.h"
#include "auth/authd/messages.h"
#include "auth/authd/nonces.h"
#include "auth/base/config.h"

namespace clamscanner {

class SignatureDesk {
 public:
    // As LoginDesk's, with the message for the agent.
    using Answer = std::function<void(const LoginAnswer& answer, const Account* account, const Serve& serve)>;

    // `accounts` is a separate desk: its check asks PAM about the account only, without a password. Times are
    // wall-clock times.
    SignatureDesk(LoginDesk& accounts, const Config& config)
        : accounts_(accounts),
          keys_(config.statistics.access_keys),
          nonces_(config.statistics.nonces, config.statistics.max_nonces_per_key) {}

    void answer_signed_login(const SignedLogin& login, const Answer& answer);

 private:
    [[nodiscard]] LoginVerdict verdict_on(const SignedLogin& login, const SignedFields& fields, const AccessKey*& key);

    LoginDesk& accounts_;
    AccessKeys keys_;
    Nonces nonces_;
};

}  // namespace clamscanner
