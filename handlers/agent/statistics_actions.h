// The actions of the statistics interface (rpc.h), as an agent answers them for its account: the latest scan, what it
// found, and starting another. The request's query holds all parameters, however the client sent them.
#pragma once

#include "auth/authd/messages.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/messages.h"

namespace clamscanner {

// `serve`: authd's message; action and version are those that the client signed, or "" after a login by password.
[[nodiscard]] Reply answer_statistics(const Caller& caller, const Serve& serve, const Request& request);

}  // namespace clamscanner
