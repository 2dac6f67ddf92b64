// The functions about what is in the quarantine.
#pragma once

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/envelope.h"

namespace clamscanner {

[[nodiscard]] Answer delete_quarantined_files(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer list_quarantined_files(const Caller& caller, const Arguments& arguments);
[[nodiscard]] Answer restore_quarantined_files(const Caller& caller, const Arguments& arguments);

}  // namespace clamscanner
