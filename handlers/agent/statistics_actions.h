// The actions of the statistics interface (rpc.h), as an agent answers them for its account: which scan was the last,
// what it found, and one more scan. The request's query holds all parameters, whichever way they came.
#pragma once

#include "auth/authd/messages.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/messages.h"

namespace clamscanner {

// `serve`: what authd says of it; action and version are those that the client signed, or "" when it logged in with its
// password.
[[nodiscard]] Reply answer_statistics(const Caller& caller, const Serve& serve, const Request& request);

}  // namespace clamscanner
