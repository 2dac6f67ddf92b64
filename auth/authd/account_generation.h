// Tells apart accounts that had the same name and uid one after the other. Whatever outlives a request is bound to the
// generation, so that nothing of a former owner's is valid for the next one.
#pragma once

#include <string>

#include "auth/base/account.h"
#include "auth/base/home_identity.h"

namespace clamscanner {

inline constexpr std::size_t longest_generation = 64;

// A digest, in hex digits, of uid, name, and the home's path and identity (home_identity.h).
[[nodiscard]] std::string account_generation(const Account& account, const HomeIdentity& home);

}  // namespace clamscanner
