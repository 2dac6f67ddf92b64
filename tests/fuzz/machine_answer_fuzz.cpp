// Foreign bytes: what a machine of the fleet answers, which may have been taken over. What is read keeps its limits, so
// that the database, a terminal and an agent can take it. The first byte says what was asked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "auth/base/wire.h"
#include "jobs/fleet/machine_answer.h"
#include "jobs/shared/json_text.h"

using namespace clamscanner;

namespace {

constexpr std::size_t page = 20;

void require(bool holds) {
    if (!holds) std::abort();
}

void read_statistic(std::string_view json) {
    const auto read = read_machine_statistic(json);
    if (!read.ever) return;
    require(read.task.size() == 32 && read.infected <= INT32_MAX && read.begun_ms >= 0);
    require(read.percent >= 0 && read.percent <= 100 && (read.percent == 100) == (read.status == 100));
    require(!read.safe || (read.completed && read.infected == 0 && read.status == 100));
}

void read_identity(std::string_view json) {
    const auto read = read_machine_identity(json, "0000018a2b3c4d5e8000000000000007");
    require(read.installation.size() == 36 && read.internet.size() <= 15 && read.intranet.size() <= 15);
}

void read_findings(std::string_view json) {
    const auto read = read_machine_findings(json, page);
    require(read.findings.size() <= page);
    for (const auto& finding : read.findings) {
        require(finding.event <= INT64_MAX && finding.found_ms >= 0);
        require(finding.virus.size() <= longest_virus_name && is_utf8(finding.virus));
        require(finding.virus.find('\0') == std::string::npos);
        require(finding.path.size() <= longest_path && finding.path.starts_with('/'));
        require(finding.path.find('\0') == std::string::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view json(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    try {
        if (bytes[0] == 's') read_statistic(json);
        if (bytes[0] == 'i') read_identity(json);
        if (bytes[0] == 'f') read_findings(json);
        if (bytes[0] == 'r') require(read_refusal_code(json).size() <= 64);
    } catch (const Malformed&) {
    }
    return 0;
}
