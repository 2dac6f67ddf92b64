// The actions of the statistics interface (rpc.h), as an agent answers them for its account: which scan was the last,
// what it found, and one more scan. The request's query holds all parameters, whichever way they came.
#pragma once

#include "handlers/caller.h"
#include "handlers/messages.h"

namespace clamscanner {

// `signed_action`: the one that the client signed; "" when it logged in with its password.
[[nodiscard]] Reply answer_statistics(const Caller& caller, const std::string& signed_action, const Request& request);

}  // namespace clamscanner
