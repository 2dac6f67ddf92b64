#include "handlers/agent/statistics_actions.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <optional>

#include "auth/authd/messages.h"
#include "handlers/agent/host_addresses.h"
#include "handlers/functions/arguments.h"
#include "handlers/functions/home.h"
#include "handlers/shared/rpc.h"
#include "handlers/shared/rpc_body.h"
#include "jobs/shared/all_accounts.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::uint64_t default_page_size = 20;
constexpr std::uint64_t longest_client_page = 100;
constexpr const char* task_kind = "VIRUS_VUL_SCHEDULE_SCAN";  // what the interface calls a virus scan

// ---- Parameters ----------------------------------------------------------------------------------------------------

// "" when it was not given: clients send empty texts for what they do not mean.
std::string text_of(const Arguments& parameters, std::string_view name) {
    const auto* given = parameters.find(name);
    return given == nullptr ? std::string() : given->text;
}

template <class Number>
Number number_of(const Arguments& parameters, const std::string& name, Number otherwise, Number least, Number most) {
    const auto text = text_of(parameters, name);
    if (text.empty()) return otherwise;
    Number number{};
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc() || end != text.data() + text.size() || number < least || number > most)
        throw invalid_parameter(name, "is " + quoted(text),
                                "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return number;
}

// Name.1, Name.2 …
std::vector<std::string> list_of(const Arguments& parameters, const std::string& name) {
    std::vector<std::string> items;
    while (const auto* item = parameters.find(name + "." + std::to_string(items.size() + 1)))
        items.push_back(item->text);
    return items;
}

struct Paging {
    std::uint64_t page = 1;
    std::uint64_t size = default_page_size;
    explicit Paging(const Arguments& parameters)
        : page(number_of<std::uint64_t>(parameters, "CurrentPage", 1, 1, std::numeric_limits<std::int32_t>::max())),
          size(number_of<std::uint64_t>(parameters, "PageSize", default_page_size, 1, longest_client_page)) {}
    [[nodiscard]] std::uint64_t offset() const { return (page - 1) * size; }
};

// ---- Objects -------------------------------------------------------------------------------------------------------

class Object {
 public:
    explicit Object(rapidjson::Document& document) : value_(rapidjson::kObjectType), memory_(document.GetAllocator()) {}
    Object& text(const char* name, std::string_view text) {
        value_.AddMember(rapidjson::StringRef(name), copy(text), memory_);
        return *this;
    }
    template <class Number>
    Object& number(const char* name, Number number) {
        value_.AddMember(rapidjson::StringRef(name), rapidjson::Value(static_cast<std::uint64_t>(number)), memory_);
        return *this;
    }
    Object& texts(const char* name, const std::vector<std::string>& texts) {
        rapidjson::Value list(rapidjson::kArrayType);
        for (const auto& text : texts) list.PushBack(copy(text), memory_);
        return add(name, std::move(list));
    }
    Object& add(const char* name, rapidjson::Value value) {
        value_.AddMember(rapidjson::StringRef(name), std::move(value), memory_);
        return *this;
    }
    [[nodiscard]] rapidjson::Value take() { return std::move(value_); }

 private:
    [[nodiscard]] rapidjson::Value copy(std::string_view text) {
        return {text.data(), static_cast<rapidjson::SizeType>(text.size()), memory_};
    }
    rapidjson::Value value_;
    rapidjson::Document::AllocatorType& memory_;
};

rapidjson::Value page_info(rapidjson::Document& document, const Paging& paging, std::uint64_t total) {
    return Object(document)
        .number("CurrentPage", paging.page)
        .number("PageSize", paging.size)
        .number("TotalCount", total)
        .take();
}

const char* type_of(const ScanTask& task) {
    return task.system ? "system" : "user";
}

// ---- Actions -------------------------------------------------------------------------------------------------------

struct Call {
    const Caller& caller;
    const Arguments& parameters;
    rapidjson::Document& document;  // of the answer; an object
    void add(const char* name, rapidjson::Value value) const {
        document.AddMember(rapidjson::StringRef(name), std::move(value), document.GetAllocator());
    }
};

// A machine is the host, so all counts of machines are 0 or 1.
void latest_statistic(const Call& call) {
    const auto statistics = call.caller.jobs.ask(AskStatistics{});
    Object data(call.document);
    if (statistics.ever_scanned) {
        static constexpr int statuses[] = {0, 10, 100, 100};
        static constexpr const char* levels[] = {"", "low", "medium", "high"};
        const auto& task = statistics.latest;
        const bool completed = task.phase == ScanPhase::Completed;
        const bool suspicious = task.infected_files > 0;
        data.text("TaskId", task.id)
            .number("ScanTime", task.created_ms)
            .number("Status", statuses[static_cast<int>(task.phase)])
            .number("SuspiciousCount", std::min<std::uint64_t>(task.infected_files, INT32_MAX))
            .number("SuspiciousMachine", suspicious ? 1 : 0)
            .number("SafeMachine", completed && !suspicious ? 1 : 0)
            .number("ScanMachine", 1)
            .text("ScanType", type_of(task));
        if (!task.system) data.texts("ScanPath", task.paths);
        data.text("Progress", std::to_string(task.percent))
            .text("MachineName", statistics.host.name)
            .number("CompleteMachine", completed ? 1 : 0)
            .number("UnCompleteMachine", completed ? 0 : 1);
        if (task.risk != RiskLevel::None) data.text("RiskLevel", levels[static_cast<int>(task.risk)]);
    }
    call.add("Data", data.take());
}

std::string without_slashes_at_the_end(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

ScanType type_at(const Caller& caller, const std::string& path) {
    std::string accepted;
    for (std::size_t i = 0; i < scan_type_count; ++i) {
        const auto& scan = caller.config.scan.at(i);
        if (!scan.allowed) continue;
        const auto directory = without_slashes_at_the_end(path_in(caller.home, scan.directory));
        if (without_slashes_at_the_end(path) == directory) return static_cast<ScanType>(i);
        accepted += (accepted.empty() ? "" : ", ") + directory;
    }
    throw invalid_parameter("ScanPath", "names " + quoted(path), accepted);
}

// One scan goes through one directory: of several that are asked for, one must hold the others.
ScanType type_for(const Caller& caller, const std::vector<std::string>& paths) {
    if (paths.empty()) throw missing_parameter("ScanPath");
    std::vector<ScanType> types;
    for (const auto& path : paths) types.push_back(type_at(caller, path));
    const auto directory_of = [&](ScanType type) {
        return path_in(caller.home, caller.config.scan.at(static_cast<std::size_t>(type)).directory);
    };
    const auto holds = [&](ScanType outer, ScanType inner) {
        const auto out = directory_of(outer);
        const auto in = directory_of(inner);
        return in == out || in.starts_with(out.ends_with('/') ? out : out + "/");
    };
    const auto outermost = std::ranges::find_if(types, [&](ScanType outer) {
        return std::ranges::all_of(types, [&](ScanType inner) { return holds(outer, inner); });
    });
    if (outermost == types.end())
        throw invalid_parameter("ScanPath", "names directories that do not lie in each other",
                                "one directory, or several of which one holds all others");
    return *outermost;
}

void create_scan(const Call& call) {
    const auto type = text_of(call.parameters, "ScanType");
    if (type.empty()) throw missing_parameter("ScanType");
    if (type != "system" && type != "user") throw invalid_parameter("ScanType", "is " + quoted(type), "system, user");
    const auto paths = list_of(call.parameters, "ScanPath");
    const auto& caller = call.caller;
    const auto& host_users = caller.config.jobs.host_users;
    if (std::ranges::find(host_users, caller.user) != host_users.end()) {
        if (type != "system")
            throw invalid_parameter("ScanType", "is user, and this user has no files of its own", "system");
        caller.jobs.ask(StartSystemScan::of(all_accounts(caller.config.login.uid_floor)));
        return;
    }
    const auto scan_type = type == "user" ? type_for(caller, paths) : ScanType::Home;
    const auto& scan = caller.config.scan.at(static_cast<std::size_t>(scan_type));
    if (!scan.allowed || look_at_directory(caller.home, scan.directory) != DirectoryState::Present)
        throw invalid_parameter(type == "user" ? "ScanPath" : "ScanType", "asks for a directory that cannot be scanned",
                                "a directory that exists");
    caller.jobs.ask(StartScan{scan_type, type == "system", false});
}

std::uint8_t phases_of(const std::string& status) {
    // 1: it runs (or is yet to), 2: complete, 3: failed, 4: timed out, which none of ours does.
    static constexpr std::uint8_t phases[] = {1U << 0 | 1U << 1, 1U << 2, 1U << 3, 0};
    if (status.size() != 1 || status[0] < '1' || status[0] > '4')
        throw invalid_parameter("Status", "is " + quoted(status), "1, 2, 3, 4");
    return phases[status[0] - '1'];
}

ScanFilter filter_of(const Arguments& parameters) {
    ScanFilter filter;
    filter.task_id = text_of(parameters, "TaskId");
    // Each task stands for itself here: it is its own root.
    const auto root = text_of(parameters, "RootTaskId");
    if (filter.task_id.empty()) filter.task_id = root;
    if (filter.task_id.size() > 32) filter.task_id = "none";
    if (!root.empty() && root != filter.task_id) filter.phases = 0;
    const auto type = text_of(parameters, "ScanType");
    if (!type.empty() && type != "system" && type != "user")
        throw invalid_parameter("ScanType", "is " + quoted(type), "system, user");
    if (!type.empty()) filter.system = type == "system" ? 1 : 0;
    if (const auto status = text_of(parameters, "Status"); !status.empty()) filter.phases &= phases_of(status);
    if (const auto list = list_of(parameters, "StatusList"); !list.empty()) {
        std::uint8_t any = 0;
        for (const auto& status : list) any |= phases_of(status);
        filter.phases &= any;
    }
    constexpr auto latest = std::numeric_limits<std::int64_t>::max();
    filter.created_from_ms = number_of<std::int64_t>(parameters, "StartTime", 0, 0, latest);
    filter.ended_until_ms = number_of<std::int64_t>(parameters, "EndTime", latest, 0, latest);
    return filter;
}

// Whether the host is the one that these parameters ask for; those not given ask for any.
bool is_asked_for(const Arguments& parameters, const Host& host, const HostAddresses& addresses) {
    const auto fits = [&](std::string_view name, const std::string& ours) {
        const auto wanted = text_of(parameters, name);
        return wanted.empty() || wanted == ours;
    };
    const auto remark = text_of(parameters, "Remark");
    const bool remarked = remark.empty() || host.name.find(remark) != std::string::npos ||
                          addresses.internet == remark || addresses.intranet == remark;
    return fits("Uuid", host.uuid) && fits("MachineName", host.name) && fits("InternetIp", addresses.internet) &&
           fits("IntranetIp", addresses.intranet) && remarked;
}

void list_tasks(const Call& call) {
    const Paging paging(call.parameters);
    auto found = call.caller.jobs.ask(AskScanTasks{filter_of(call.parameters), paging.offset(), paging.size});
    const auto addresses = host_addresses();
    if (!is_asked_for(call.parameters, found.host, addresses)) found = {found.host, 0, {}};
    static constexpr int statuses[] = {1, 1, 2, 3};
    rapidjson::Value list(rapidjson::kArrayType);
    for (const auto& task : found.tasks) {
        Object row(call.document);
        row.text("TaskId", task.id).text("TaskName", task_kind).text("ScanType", type_of(task));
        if (!task.system) row.texts("ScanPath", task.paths);
        row.number("StartTime", task.created_ms);
        if (task.ended_ms != 0) row.number("EndTime", task.ended_ms);
        row.number("Status", statuses[static_cast<int>(task.phase)])
            .number("Progress", task.percent)
            .text("InstanceName", found.host.name)
            .text("InternetIp", addresses.internet)
            .text("IntranetIp", addresses.intranet)
            .text("Uuid", found.host.uuid);
        list.PushBack(row.take(), call.document.GetAllocator());
    }
    call.add("PageInfo", page_info(call.document, paging, found.total));
    call.add("List", std::move(list));
}

// The hosts on which the latest scan found something: this one, or none.
void list_machines(const Call& call) {
    const Paging paging(call.parameters);
    const auto found = call.caller.jobs.ask(AskScanEvents{0, 1});
    const auto addresses = host_addresses();
    rapidjson::Value list(rapidjson::kArrayType);
    const bool listed = found.total > 0 && is_asked_for(call.parameters, found.host, addresses);
    if (listed && paging.offset() == 0)
        list.PushBack(Object(call.document)
                          .text("Uuid", found.host.uuid)
                          .text("InstanceName", found.host.name)
                          .text("InternetIp", addresses.internet)
                          .text("IntranetIp", addresses.intranet)
                          .text("InstanceId", found.host.uuid)
                          .number("EventCount", std::min<std::uint64_t>(found.total, INT32_MAX))
                          .take(),
                      call.document.GetAllocator());
    call.add("PageInfo", page_info(call.document, paging, listed ? 1 : 0));
    call.add("Data", std::move(list));
}

void list_events(const Call& call) {
    static constexpr const char* levels[] = {"remind", "remind", "suspicious", "serious"};
    const Paging paging(call.parameters);
    auto found = call.caller.jobs.ask(AskScanEvents{paging.offset(), paging.size});
    const auto addresses = host_addresses();
    if (!is_asked_for(call.parameters, found.host, addresses)) found = {found.host, 0, {}};
    auto& memory = call.document.GetAllocator();
    rapidjson::Value list(rapidjson::kArrayType);
    for (const auto& event : found.events) {
        rapidjson::Value details(rapidjson::kArrayType);
        details.PushBack(Object(call.document)
                             .text("NameDisplay", "Path")
                             .text("ValueDisplay", event.path)
                             .text("Type", "text")
                             .take(),
                         memory);
        list.PushBack(Object(call.document)
                          .number("EventId", event.id)
                          .text("EventName", event.virus)
                          .text("Level", levels[static_cast<int>(risk_of(event.virus))])
                          .number("LastTimeStamp", event.found_ms)
                          .text("InstanceName", found.host.name)
                          .text("InternetIp", addresses.internet)
                          .text("IntranetIp", addresses.intranet)
                          .add("Details", std::move(details))
                          .take(),
                      memory);
    }
    call.add("PageInfo", page_info(call.document, paging, found.total));
    call.add("Data", std::move(list));
}

struct Route {
    std::string_view action;
    void (*answer)(const Call& call);
};

constexpr Route routes[] = {
    {"CreateVirusScanOnceTask", create_scan}, {"GetVirusScanLatestTaskStatistic", latest_statistic},
    {"ListVirusScanMachine", list_machines},  {"ListVirusScanMachineEvent", list_events},
    {"ListVirusScanTask", list_tasks},
};
static_assert(std::ranges::equal(routes, rpc_actions, {}, &Route::action, &RpcAction::name),
              "every action has a route, and in the same order");

std::string answer_of(const Caller& caller, const Serve& serve, RpcFormat format, const Arguments& parameters) {
    const auto name = text_of(parameters, "Action");
    // The responder may have been taken over: what was signed as one action is never carried out as another.
    const bool is_signed = !serve.action.empty();
    if (is_signed && name != serve.action) throw RpcRefusal(RpcError::ActionNotFound);
    const auto& action = action_of(name, is_signed ? serve.version : text_of(parameters, "Version"));
    rapidjson::Document document(rapidjson::kObjectType);
    const auto id = request_id();
    document.AddMember(
        "RequestId", rapidjson::Value(id.data(), static_cast<rapidjson::SizeType>(id.size()), document.GetAllocator()),
        document.GetAllocator());
    routes[&action - rpc_actions].answer({caller, parameters, document});
    return rpc_body(format, name + "Response", document);
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
        // Of a parameter that is no parameter, of jobd, or a fault that is logged already.
        if (refusal.status() >= 500) return refused(RpcRefusal(RpcError::ServerError));
        return refused({400, "OperationDenied", refusal.what(), "See the message."});
    } catch (const std::exception& fault) {
        static_cast<void>(with_reference("", fault.what()));
        return refused(RpcRefusal(RpcError::ServerError));
    }
}

}  // namespace clamscanner
