// From a Request to a Reply: which function, whether it takes the method, its answer in the form that was asked for.
// Every refusal and every fault of an agent becomes an envelope here. The request is foreign.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/messages.h"

namespace clamscanner {

[[nodiscard]] Reply answer_request(const Caller& caller, const Request& request);

// The function alone, for a call that did not come over HTTP. Throws Refusal.
[[nodiscard]] Answer answer_call(const Caller& caller, const Address& address, const Arguments& arguments);

}  // namespace clamscanner
