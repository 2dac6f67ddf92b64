#include "handlers/agent/statistics_actions.h"

#include <algorithm>

#include "auth/authd/messages.h"
#include "auth/base/account.h"
#include "handlers/agent/fleet_actions.h"
#include "handlers/agent/host_addresses.h"
#include "handlers/agent/scan_creation.h"
#include "handlers/agent/statistics_call.h"
#include "handlers/functions/arguments.h"
#include "handlers/shared/rpc.h"
#include "jobs/shared/object_writer.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

// As the statistic of the latest scan has it, by ScanPhase.
constexpr int statistic_status[] = {0, 10, 100, 100};

// ---- Parts of answers -----------------------------------------------------------------------------------------------

void write_scope(ObjectWriter& body, const ScanTask& task) {
    body.member("ScanType", task.system ? "system" : "user");
    if (!task.system) body.member("ScanPath", task.paths);
}

void write_host(ObjectWriter& body, const Host& host, const HostAddresses& addresses) {
    body.member("InstanceName", host.name);
    body.member("InternetIp", addresses.internet);
    body.member("IntranetIp", addresses.intranet);
}

// The only machine is this host, so all counts of machines are 0 or 1.
void write_statistic(ObjectWriter& body, const ScanTask& task, const Host& host) {
    const bool completed = task.phase == ScanPhase::Completed;
    const bool suspicious = task.infected_files > 0;
    body.member("TaskId", task.id);
    body.member("ScanTime", task.created_ms);
    body.member("Status", statistic_status[static_cast<int>(task.phase)]);
    body.member("SuspiciousCount", count_of(task.infected_files));
    body.member("SuspiciousMachine", suspicious);
    body.member("SafeMachine", completed && !suspicious && !task.proves_nothing);
    body.member("ScanMachine", 1);
    write_scope(body, task);
    body.member("Progress", std::to_string(task.percent));
    body.member("MachineName", host.name);
    body.member("CompleteMachine", completed);
    body.member("UnCompleteMachine", !completed);
    if (task.risk != RiskLevel::None) body.member("RiskLevel", statistic_levels[static_cast<int>(task.risk)]);
}

void write_task(ObjectWriter& body, const ScanTask& task, const Host& host, const HostAddresses& addresses) {
    body.member("TaskId", task.id);
    body.member("TaskName", task_kind);
    write_scope(body, task);
    body.member("StartTime", task.created_ms);
    if (task.ended_ms != 0) body.member("EndTime", task.ended_ms);
    body.member("Status", task_status[static_cast<int>(task.phase)]);
    body.member("Progress", task.percent);
    write_host(body, host, addresses);
    body.member("Uuid", host.uuid);
}

void write_event(ObjectWriter& body, const ScanEvent& event, const Host& host, const HostAddresses& addresses) {
    body.member("EventId", event.id);
    body.member("EventName", event.virus);
    body.member("Level", event_levels[static_cast<int>(risk_of(event.virus))]);
    body.member("LastTimeStamp", event.found_ms);
    write_host(body, host, addresses);
    write_path(body, event.path);
}

// ---- Actions --------------------------------------------------------------------------------------------------------

void create(const Call& call) {
    create_scan(call.caller, call.parameters);
}

void latest_statistic(const Call& call) {
    const auto statistics = call.caller.jobs.ask(AskStatistics{});
    call.body.object("Data", [&] {
        if (statistics.ever_scanned) write_statistic(call.body, statistics.latest, statistics.host);
    });
}

void list_tasks(const Call& call) {
    const Paging paging(call.parameters);
    auto found = call.caller.jobs.ask(AskScanTasks{scan_filter_of(call.parameters), paging.offset(), paging.size});
    const auto addresses = host_addresses();
    if (!host_matches(call.parameters, found.host, addresses)) found = {found.host, 0, {}};
    write_page_info(call.body, paging, found.total);
    call.body.objects("List", found.tasks,
                      [&](const ScanTask& task) { write_task(call.body, task, found.host, addresses); });
}

// The hosts on which the latest scan found something: this one, or none.
void list_machines(const Call& call) {
    const Paging paging(call.parameters);
    const auto found = call.caller.jobs.ask(AskScanEvents{0, 1});
    const auto addresses = host_addresses();
    std::vector<Host> hosts;
    if (found.total > 0 && host_matches(call.parameters, found.host, addresses)) hosts.push_back(found.host);
    write_page_info(call.body, paging, hosts.size());
    if (paging.page > 1) hosts.clear();
    call.body.objects("Data", hosts, [&](const Host& host) {
        call.body.member("Uuid", host.uuid);
        write_host(call.body, host, addresses);
        call.body.member("InstanceId", host.uuid);
        call.body.member("EventCount", count_of(found.total));
    });
}

void list_events(const Call& call) {
    const Paging paging(call.parameters);
    auto found = call.caller.jobs.ask(AskScanEvents{paging.offset(), paging.size});
    const auto addresses = host_addresses();
    if (!host_matches(call.parameters, found.host, addresses)) found = {found.host, 0, {}};
    write_page_info(call.body, paging, found.total);
    call.body.objects("Data", found.events,
                      [&](const ScanEvent& event) { write_event(call.body, event, found.host, addresses); });
}

struct Route {
    std::string_view action;
    void (*answer)(const Call& call);
    void (*answer_for_fleet)(const Call& call);
};

constexpr Route routes[] = {
    {"CreateVirusScanOnceTask", create, create_fleet_scan},
    {"GetVirusScanLatestTaskStatistic", latest_statistic, latest_fleet_statistic},
    {"ListVirusScanMachine", list_machines, list_fleet_machines},
    {"ListVirusScanMachineEvent", list_events, list_fleet_findings},
    {"ListVirusScanTask", list_tasks, list_fleet_tasks},
};
static_assert(std::ranges::equal(routes, rpc_actions, {}, &Route::action, &RpcAction::name),
              "every action has a route, and in the same order");

std::string answer_of(const Caller& caller, const Serve& serve, RpcFormat format, const Arguments& parameters) {
    const auto name = text_of(parameters, "Action");
    // The responder may be compromised: a request that was signed for one action is never carried out as another.
    const bool is_signed = !serve.action.empty();
    if (is_signed && name != serve.action) throw RpcRefusal(RpcError::ActionNotFound);
    const auto& action = action_of(name, is_signed ? serve.version : text_of(parameters, "Version"));
    const auto& route = routes[&action - rpc_actions];
    const bool for_fleet = caller.config.fleet.is_centre() && is_host_user(caller.user, caller.config);
    const auto answer = for_fleet ? route.answer_for_fleet : route.answer;
    return rpc_body(format, name + "Response", [&](ObjectWriter& body) { answer({caller, parameters, body}); });
}

// What is shown of a refusal that is of no parameter's: of the form of the query, or jobd's; a fault is logged already,
// and the sentence has its reference.
RpcRefusal shown(const Refusal& refusal) {
    if (refusal.status() >= 500) return {500, "ServerError", "ServerError", refusal.what()};
    return {400, "OperationDenied", refusal.what(), "See the message."};
}

}  // namespace

Reply answer_statistics(const Caller& caller, const Serve& serve, const Request& request) {
    auto format = RpcFormat::Json;
    const auto refused = [&](const RpcRefusal& refusal) {
        return Reply{static_cast<std::uint16_t>(refusal.status()), "", rpc_failure(format, refusal, request.host)};
    };
    try {
        Arguments parameters;
        read_form(request.query, parameters);
        if (text_of(parameters, "Format") == name_of(RpcFormat::Xml)) format = RpcFormat::Xml;
        return {200, "", answer_of(caller, serve, format, parameters)};
    } catch (const RpcRefusal& refusal) {
        return refused(refusal);
    } catch (const Refusal& refusal) {
        return refused(shown(refusal));
    } catch (const std::exception& fault) {
        return refused(server_error(fault.what()));
    }
}

}  // namespace clamscanner
