// What the actions of the statistics interface have in common, whether they answer for this host or, at the centre, for
// all machines.
#pragma once

#include <algorithm>
#include <cstdint>

#include "handlers/agent/statistics_parameters.h"
#include "handlers/functions/caller.h"
#include "jobs/shared/object_writer.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

struct Call {
    const Caller& caller;
    const Arguments& parameters;
    ObjectWriter& body;  // in the answer's object, after its RequestId
};

inline constexpr const char* task_kind = "VIRUS_VUL_SCHEDULE_SCAN";  // what the interface calls a virus scan

// By RiskLevel: as the statistic of the latest scan has them, and as the list of what was found has them.
inline constexpr const char* statistic_levels[] = {"", "low", "medium", "high"};
inline constexpr const char* event_levels[] = {"remind", "remind", "suspicious", "serious"};

// Clients keep a count in 32 bits.
[[nodiscard]] inline std::uint64_t count_of(std::uint64_t files) {
    return std::min<std::uint64_t>(files, INT32_MAX);
}

inline void write_page_info(ObjectWriter& body, const Paging& paging, std::uint64_t total) {
    body.object("PageInfo", [&] {
        body.member("CurrentPage", paging.page);
        body.member("PageSize", paging.size);
        body.member("TotalCount", total);
    });
}

// Where a find is.
inline void write_path(ObjectWriter& body, const std::string& path) {
    body.objects("Details", std::initializer_list<const std::string*>{&path}, [&](const std::string* value) {
        body.member("NameDisplay", "Path");
        body.member("ValueDisplay", *value);
        body.member("Type", "text");
    });
}

}  // namespace clamscanner
