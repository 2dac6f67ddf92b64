// The argument scan_type, of the functions that begin a scan now or later.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "jobs/shared/scan_types.h"

namespace clamscanner {

// Refuses its absence and what is no scan type.
[[nodiscard]] ScanType scan_type_in(const Arguments& arguments);

// Refuses a type that the administrator has switched off, or whose directory cannot be scanned.
void refuse_unless_scannable(const Caller& caller, ScanType type);

}  // namespace clamscanner
