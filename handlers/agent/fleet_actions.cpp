#include "handlers/agent/fleet_actions.h"

#include "handlers/shared/rpc.h"
#include "jobs/fleet/messages.h"

namespace clamscanner {
namespace {

MachineFilter machines_of(const Arguments& parameters) {
    const auto text = [&](const char* name) { return text_of(parameters, name).substr(0, longest_message); };
    return {text("Uuid"), text("MachineName"), text("InternetIp"), text("IntranetIp"), text("Remark")};
}

void write_machine(ObjectWriter& body, const FleetMachine& machine) {
    body.member("InstanceName", machine.name);
    body.member("InternetIp", machine.internet);
    body.member("IntranetIp", machine.intranet);
}

void write_statistic(ObjectWriter& body, const FleetStatistics& latest) {
    body.member("TaskId", latest.task);
    body.member("ScanTime", latest.created_ms);
    body.member("Status", latest.status);
    body.member("SuspiciousCount", count_of(latest.infected));
    body.member("SuspiciousMachine", latest.suspicious);
    body.member("SafeMachine", latest.safe);
    body.member("ScanMachine", latest.machines);
    body.member("ScanType", "system");
    body.member("Progress", std::to_string(latest.percent));
    if (latest.machines == 1) body.member("MachineName", latest.only_machine);
    body.member("CompleteMachine", latest.completed);
    body.member("UnCompleteMachine", latest.machines - latest.completed);
    if (latest.risk != RiskLevel::None) body.member("RiskLevel", statistic_levels[static_cast<int>(latest.risk)]);
}

void write_task(ObjectWriter& body, const FleetTask& task) {
    body.member("TaskId", task.id);
    body.member("TaskName", task_kind);
    body.member("ScanType", "system");
    body.member("StartTime", task.created_ms);
    if (task.ended_ms != 0) body.member("EndTime", task.ended_ms);
    body.member("Status", task_status[static_cast<int>(task.phase)]);
    body.member("Progress", task.percent);
    write_machine(body, task.machine);
    body.member("Uuid", task.machine.uuid);
}

void write_finding(ObjectWriter& body, const FleetFinding& finding) {
    body.member("EventId", finding.id);
    body.member("EventName", finding.virus);
    body.member("Level", event_levels[static_cast<int>(risk_of(finding.virus))]);
    body.member("LastTimeStamp", finding.found_ms);
    write_machine(body, finding.machine);
    body.member("Uuid", finding.machine.uuid);
    write_path(body, finding.path);
}

}  // namespace

void create_fleet_scan(const Call& call) {
    const auto type = scan_type_of(call.parameters);
    if (type.empty()) throw missing_parameter("ScanType");
    if (type != "system")
        throw invalid_parameter("ScanType", "is user, and all machines are scanned as a whole", "system");
    call.caller.fleet->ask(StartFleetScan{});
}

void latest_fleet_statistic(const Call& call) {
    const auto latest = call.caller.fleet->ask(AskFleetStatistics{});
    call.body.object("Data", [&] {
        if (latest.ever) write_statistic(call.body, latest);
    });
}

// The scans of all machines; of one of them, if RootTaskId names it, each machine's part.
void list_fleet_tasks(const Call& call) {
    const Paging paging(call.parameters);
    AskFleetTasks asked{task_id_of(call.parameters, "RootTaskId"), scan_filter_without_ids(call.parameters),
                        machines_of(call.parameters), paging.offset(), paging.size};
    asked.filter.task_id = task_id_of(call.parameters, "TaskId");
    const auto found = call.caller.fleet->ask(asked);
    write_page_info(call.body, paging, found.total);
    call.body.objects("List", found.tasks, [&](const FleetTask& task) { write_task(call.body, task); });
}

// Those on which the latest scan of all machines found something.
void list_fleet_machines(const Call& call) {
    const Paging paging(call.parameters);
    const auto found =
        call.caller.fleet->ask(AskFleetMachines{machines_of(call.parameters), paging.offset(), paging.size});
    write_page_info(call.body, paging, found.total);
    call.body.objects("Data", found.machines, [&](const FleetMachine& machine) {
        call.body.member("Uuid", machine.uuid);
        write_machine(call.body, machine);
        call.body.member("InstanceId", machine.uuid);
        call.body.member("EventCount", count_of(machine.findings));
    });
}

void list_fleet_findings(const Call& call) {
    const Paging paging(call.parameters);
    const auto found =
        call.caller.fleet->ask(AskFleetFindings{machines_of(call.parameters), paging.offset(), paging.size});
    write_page_info(call.body, paging, found.total);
    call.body.objects("Data", found.findings, [&](const FleetFinding& finding) { write_finding(call.body, finding); });
}

}  // namespace clamscanner
