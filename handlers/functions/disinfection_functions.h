// The functions that ask for a disinfection and tell of it.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/envelope.h"

namespace clamscanner {

[[nodiscard]] Answer disinfect_files(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer check_disinfection_status(const Caller& caller, const Arguments& arguments);

}  // namespace clamscanner
