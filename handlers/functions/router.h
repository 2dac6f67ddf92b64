// Turns a Request into a Reply: finds the function, checks the method, and puts the answer into the requested envelope.
// Every refusal and every fault of an agent becomes an envelope here. The request is untrusted.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/messages.h"

namespace clamscanner {

[[nodiscard]] Reply answer_request(const Caller& caller, const Request& request);

// Whether the answer may take some seconds, because it waits for a job.
[[nodiscard]] bool waits_for_a_job(const Request& request);

// For the arguments of a call of the function at this address.
[[nodiscard]] Arguments arguments_for(const Address& address);

// The function alone, for a call that did not come over HTTP. Throws Refusal.
[[nodiscard]] Answer answer_call(const Caller& caller, const Address& address, const Arguments& arguments);

}  // namespace clamscanner
