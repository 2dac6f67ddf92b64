#include "handlers/agent/statistics_parameters.h"

#include <iterator>
#include <limits>

#include "handlers/shared/rpc.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::int64_t default_page_size = 20;
constexpr std::int64_t longest_client_page = 100;
constexpr std::int64_t most_pages = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t latest_time = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t longest_task_id = 32;

std::int64_t number_of(const Arguments& parameters, const std::string& name, std::int64_t otherwise, std::int64_t least,
                       std::int64_t most) {
    const auto text = text_of(parameters, name);
    if (text.empty()) return otherwise;
    const auto number = whole_number(text);
    if (!number || *number < least || *number > most)
        throw invalid_parameter(name, "is " + quoted(text),
                                "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return *number;
}

// One bit for each ScanPhase that the interface calls so.
std::uint8_t phases_of(const std::string& status) {
    if (status.size() != 1 || status[0] < '1' || status[0] > '4')
        throw invalid_parameter("Status", "is " + quoted(status), "1, 2, 3, 4");
    unsigned phases = 0;
    for (std::size_t phase = 0; phase < std::size(task_status); ++phase)
        if (task_status[phase] == status[0] - '0') phases |= 1U << phase;
    return static_cast<std::uint8_t>(phases);
}

void keep_phases(ScanFilter& filter, const std::vector<std::string>& statuses) {
    if (statuses.empty()) return;
    std::uint8_t any = 0;
    for (const auto& status : statuses) any |= phases_of(status);
    filter.phases &= any;
}

// There are no subtasks here: each task is its own root.
void keep_task(ScanFilter& filter, const std::string& task, const std::string& root) {
    filter.task_id = task.empty() ? root : task;
    if (!root.empty() && root != filter.task_id) filter.phases = 0;
}

}  // namespace

std::string text_of(const Arguments& parameters, std::string_view name) {
    const auto* given = parameters.find(name);
    return given == nullptr ? std::string() : given->text;
}

std::vector<std::string> list_of(const Arguments& parameters, const std::string& name) {
    std::vector<std::string> items;
    while (const auto* item = parameters.find(name + "." + std::to_string(items.size() + 1)))
        items.push_back(item->text);
    return items;
}

std::string scan_type_of(const Arguments& parameters) {
    auto type = text_of(parameters, "ScanType");
    if (!type.empty() && type != "system" && type != "user")
        throw invalid_parameter("ScanType", "is " + quoted(type), "system, user");
    return type;
}

Paging::Paging(const Arguments& parameters)
    : page(static_cast<std::uint64_t>(number_of(parameters, "CurrentPage", 1, 1, most_pages))),
      size(static_cast<std::uint64_t>(number_of(parameters, "PageSize", default_page_size, 1, longest_client_page))) {}

std::string task_id_of(const Arguments& parameters, std::string_view name) {
    auto id = text_of(parameters, name);
    return id.size() > longest_task_id ? "none" : id;
}

ScanFilter scan_filter_of(const Arguments& parameters) {
    auto filter = scan_filter_without_ids(parameters);
    keep_task(filter, task_id_of(parameters, "TaskId"), task_id_of(parameters, "RootTaskId"));
    return filter;
}

ScanFilter scan_filter_without_ids(const Arguments& parameters) {
    ScanFilter filter;
    if (const auto type = scan_type_of(parameters); !type.empty()) filter.system = type == "system" ? 1 : 0;
    if (const auto status = text_of(parameters, "Status"); !status.empty()) keep_phases(filter, {status});
    keep_phases(filter, list_of(parameters, "StatusList"));
    filter.created_from_ms = number_of(parameters, "StartTime", 0, 0, latest_time);
    filter.ended_until_ms = number_of(parameters, "EndTime", latest_time, 0, latest_time);
    return filter;
}

bool host_matches(const Arguments& parameters, const Host& host, const HostAddresses& addresses) {
    const auto fits = [&](std::string_view name, const std::string& ours) {
        const auto wanted = text_of(parameters, name);
        return wanted.empty() || wanted == ours;
    };
    const auto remark = text_of(parameters, "Remark");
    const bool is_remarked =
        host.name.find(remark) != std::string::npos || addresses.internet == remark || addresses.intranet == remark;
    return fits("Uuid", host.uuid) && fits("MachineName", host.name) && fits("InternetIp", addresses.internet) &&
           fits("IntranetIp", addresses.intranet) && is_remarked;
}

}  // namespace clamscanner
