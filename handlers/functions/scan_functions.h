// The functions that start a scan and tell of it.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/envelope.h"

namespace clamscanner {

[[nodiscard]] Answer cancel_scan(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer list_unscanned_files(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer start_scan(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer get_scan_status(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer list_infected_files(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer get_scan_paths(const Caller& caller, const Arguments& arguments);

}  // namespace clamscanner
