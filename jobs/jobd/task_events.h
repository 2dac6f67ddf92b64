// What the audit log says of tasks: that one was asked for, and how it ended. Written after the commit.
#pragma once

#include <string>

#include "jobs/jobd/ledger.h"

namespace clamscanner {

void write_asked(Ledger& ledger, TaskId task);
void write_ended(Ledger& ledger, const AccountTask& task);

}  // namespace clamscanner
