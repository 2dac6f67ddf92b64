// The actions of the statistics interface as a host user's agent answers them at the centre of many machines: of all of
// them, as clamscanner-fleetd knows them. They throw RpcRefusal, and Refusal with what clamscanner-fleetd declines.
#pragma once

#include "handlers/agent/statistics_call.h"

namespace clamscanner {

void create_fleet_scan(const Call& call);
void latest_fleet_statistic(const Call& call);
void list_fleet_tasks(const Call& call);
void list_fleet_machines(const Call& call);
void list_fleet_findings(const Call& call);

}  // namespace clamscanner
