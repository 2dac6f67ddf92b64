// The hashes of local passwords, as crypt(3) makes them. Run in a child that authd forks for one login.
//
// pam_unix computes a hash only where the account has one: a wrong password for a name that does not exist would cost
// nothing, and free its slot at once. spend_a_hash() makes up for that.
#pragma once

#include <string>

#include "auth/base/secret.h"

namespace clamscanner {

class ShadowFile {
 public:
    // Reads the whole file, so that the time does not depend on the name. A file that cannot be read has no accounts.
    ShadowFile(const std::string& file, const std::string& user);

    // Whether crypt(3) makes the account's hash of it: then the password is a local one, and changes with the account's
    // line. Costs a hash.
    [[nodiscard]] bool matches(const Secret& password) const;

    // Takes as long as a check of the password of most local accounts, unless PAM has just done that for this one.
    void spend_a_hash(const Secret& password) const;

 private:
    std::string users_hash_;
    std::string usual_method_;  // of most accounts
};

// "$y$j9T$" of "$y$j9T$SALT$HASH": method and cost, without the salt. Empty if it is no hash (locked, no password), or
// none of these methods.
[[nodiscard]] std::string method_of_hash(const std::string& hash);

}  // namespace clamscanner
