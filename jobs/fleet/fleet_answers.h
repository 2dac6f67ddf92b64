// What the fleet's database says, for agents and for the administrator's command: numbers and pages of lists. Reads
// alone, by statements whose cost does not grow with the number of finds: a page is found by the machines' counts.
// Each function waits for the server, and throws PostgresError.
#pragma once

#include "jobs/fleet/messages.h"
#include "jobs/fleet/postgres.h"

namespace clamscanner {

[[nodiscard]] FleetStatistics fleet_statistics(Postgres& postgres);
[[nodiscard]] FleetTasks fleet_tasks(Postgres& postgres, const AskFleetTasks& asked);
[[nodiscard]] FleetMachines fleet_machines(Postgres& postgres, const AskFleetMachines& asked);
[[nodiscard]] FleetFindings fleet_findings(Postgres& postgres, const AskFleetFindings& asked);

}  // namespace clamscanner
