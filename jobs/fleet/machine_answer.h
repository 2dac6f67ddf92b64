// What a machine answers, read as what it is: bytes from a host that may have been taken over. Everything has a limit
// and a type, and what contradicts itself is Malformed; a machine can lie about itself alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// The largest answers that are taken.
inline constexpr std::size_t longest_machine_answer = 64 * 1024;
inline constexpr std::size_t longest_page_of_finds = 8 * 1024 * 1024;

// Of the machine's latest scan.
struct MachineStatistic {
    bool ever = false;  // there was one; else the rest means nothing
    std::string task;   // 32 lower-case hex digits
    std::int64_t begun_ms = 0;
    int status = 0;  // 0, 10 or 100
    int percent = 0;
    std::uint64_t infected = 0;
    RiskLevel risk = RiskLevel::None;
    bool completed = false;
    bool safe = false;
};
// Throws Malformed, as all of these do.
[[nodiscard]] MachineStatistic read_machine_statistic(std::string_view json);

// Whether a scan is one of a whole machine, by its id: in the second half jobd sets the highest bit for these.
[[nodiscard]] bool is_of_whole_machine(std::string_view task) noexcept;

// Who the machine says that it is, from its list of that one scan.
struct MachineIdentity {
    std::string installation;  // a UUID in lower case, made with the machine's database
    std::string internet;      // IPv4, or ""
    std::string intranet;
};
[[nodiscard]] MachineIdentity read_machine_identity(std::string_view json, std::string_view task);

struct MachineFinding {
    std::uint64_t event = 0;
    std::int64_t found_ms = 0;
    std::string virus;  // UTF-8 without control characters
    std::string path;   // bytes
};
struct MachineFindings {
    std::uint64_t total = 0;
    std::vector<MachineFinding> findings;  // at most `most`
};
[[nodiscard]] MachineFindings read_machine_findings(std::string_view json, std::size_t most);

// The code of a refusal, letters and dots; "" if the answer has none. Throws nothing.
[[nodiscard]] std::string read_refusal_code(std::string_view json) noexcept;

}  // namespace clamscanner
