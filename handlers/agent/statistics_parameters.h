// The parameters of the actions of the statistics interface. Clients send empty texts for what they do not mean, so ""
// is the same as nothing. What is wrong with one is an RpcRefusal that names it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/agent/host_addresses.h"
#include "handlers/functions/arguments.h"
#include "jobs/jobd/messages.h"

namespace clamscanner {

// What the interface calls the state of a scan, by ScanPhase. It also has 4, timed out, which none of ours does.
inline constexpr int task_status[] = {1, 1, 2, 3};

[[nodiscard]] std::string text_of(const Arguments& parameters, std::string_view name);

// Name.1, Name.2 …
[[nodiscard]] std::vector<std::string> list_of(const Arguments& parameters, const std::string& name);

// ScanType, which is "system", "user" or "".
[[nodiscard]] std::string scan_type_of(const Arguments& parameters);

struct Paging {
    std::uint64_t page;
    std::uint64_t size;
    explicit Paging(const Arguments& parameters);
    [[nodiscard]] std::uint64_t offset() const { return (page - 1) * size; }
};

[[nodiscard]] ScanFilter scan_filter_of(const Arguments& parameters);
// The same without TaskId and RootTaskId.
[[nodiscard]] ScanFilter scan_filter_without_ids(const Arguments& parameters);
// An id of a task, from TaskId or RootTaskId; "none" for what can be none.
[[nodiscard]] std::string task_id_of(const Arguments& parameters, std::string_view name);

// Whether the host is the one that the parameters ask for; those not given ask for any.
[[nodiscard]] bool host_matches(const Arguments& parameters, const Host& host, const HostAddresses& addresses);

}  // namespace clamscanner
