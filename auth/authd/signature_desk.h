// Decides every signed request. In this order, and the first that fails is the answer: the key, the time, the
// signature, the nonce, whether an action is named; then whether PAM has anything against the account, which is asked
// and remembered as for logins, and whether the key was made for this account and not for an earlier one of its name.
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
    // As LoginDesk's, and what the agent is to be told.
    using Answer = std::function<void(const LoginAnswer& answer, const Account* account, const Serve& serve)>;

    // `accounts` is a desk of its own: its password check asks PAM for the account alone. All times are the clock's.
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
