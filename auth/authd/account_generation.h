// Which of the accounts that have had a name and a uid, one after the other, this is. What lasts longer than a request
// is bound to it: nothing of an old owner's may be good for the next.
#pragma once

#include <string>

#include "auth/base/account.h"
#include "auth/base/home_identity.h"

namespace clamscanner {

inline constexpr std::size_t longest_generation = 64;

// A digest of uid, name, home and which directory the home is, in hex digits.
[[nodiscard]] std::string account_generation(const Account& account, const HomeIdentity& home);

}  // namespace clamscanner
