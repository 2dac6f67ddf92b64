// CreateVirusScanOnceTask: of an account its home or one of the directories in it; of a host user the whole host.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"

namespace clamscanner {

// Throws RpcRefusal, and Refusal with what jobd declines.
void create_scan(const Caller& caller, const Arguments& parameters);

}  // namespace clamscanner
