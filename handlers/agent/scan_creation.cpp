#include "handlers/agent/scan_creation.h"

#include <algorithm>

#include "auth/base/account.h"
#include "handlers/agent/statistics_parameters.h"
#include "handlers/functions/home.h"
#include "handlers/shared/rpc.h"
#include "jobs/shared/all_accounts.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

const ScanDirectory& settings_of(const Caller& caller, ScanType type) {
    return caller.config.scan_of(type);
}

std::string without_slashes_at_the_end(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

std::string directory_of(const Caller& caller, ScanType type) {
    return without_slashes_at_the_end(path_in(caller.home, settings_of(caller, type).directory));
}

std::vector<ScanType> allowed_types(const Caller& caller) {
    std::vector<ScanType> types;
    for (const auto& row : scan_types)
        if (caller.config.scan_of(row.type).allowed) types.push_back(row.type);
    return types;
}

ScanType type_at(const Caller& caller, const std::string& path) {
    const auto types = allowed_types(caller);
    const auto directory = [&](ScanType type) { return directory_of(caller, type); };
    const auto type = std::ranges::find(types, without_slashes_at_the_end(path), directory);
    if (type == types.end()) throw invalid_parameter("ScanPath", "names " + quoted(path), listed(types, directory));
    return *type;
}

bool holds(const std::string& outer, const std::string& inner) {
    return inner == outer || is_below(inner, outer);
}

// A scan covers one directory: of several requested ones, one must contain all others.
ScanType type_for(const Caller& caller, const std::vector<std::string>& paths) {
    if (paths.empty()) throw missing_parameter("ScanPath");
    std::vector<ScanType> types;
    for (const auto& path : paths) types.push_back(type_at(caller, path));
    const auto holds_all = [&](ScanType outer) {
        return std::ranges::all_of(
            types, [&](ScanType inner) { return holds(directory_of(caller, outer), directory_of(caller, inner)); });
    };
    const auto outermost = std::ranges::find_if(types, holds_all);
    if (outermost == types.end())
        throw invalid_parameter("ScanPath", "names several directories of which none contains all others",
                                "one directory, or several of which one contains all others");
    return *outermost;
}

void scan_host(const Caller& caller, const std::string& type) {
    if (type != "system")
        throw invalid_parameter("ScanType", "is user, and this user has no files of its own", "system");
    caller.jobs.ask(StartSystemScan::of(all_accounts(caller.config.login.uid_floor), caller.asker));
}

void scan_account(const Caller& caller, const Arguments& parameters, bool system) {
    const auto type = system ? ScanType::Home : type_for(caller, list_of(parameters, "ScanPath"));
    const auto& scan = settings_of(caller, type);
    const auto problem = scan.allowed ? directory_problem(caller.home, scan.directory, caller.lifeline)
                                      : "is not scanned: it is switched off here";
    if (!problem.empty())
        throw invalid_parameter(system ? "ScanType" : "ScanPath",
                                "asks for " + path_in(caller.home, scan.directory) + ", which " + problem,
                                "a directory that can be scanned");
    caller.jobs.ask(StartScan{type, system, false, caller.asker});
}

}  // namespace

void create_scan(const Caller& caller, const Arguments& parameters) {
    const auto type = scan_type_of(parameters);
    if (type.empty()) throw missing_parameter("ScanType");
    if (is_host_user(caller.user, caller.config)) return scan_host(caller, type);
    scan_account(caller, parameters, type == "system");
}

}  // namespace clamscanner
