// What clamscanner-scan prints: as lines of a name, a tab and a value, or as JSON.
#pragma once

#include <cstdint>
#include <string>

#include "jobs/client/jobs.h"

namespace clamscanner {

// "2026-01-31 04:05:06", in local time.
[[nodiscard]] std::string time_text(std::int64_t ms);

// Of a scan of all accounts, under way or over.
[[nodiscard]] std::string scan_text(const SystemScanProgress& scan);
[[nodiscard]] std::string scan_json(const SystemScanProgress& scan);

// One line, for whoever waits.
[[nodiscard]] std::string progress_text(const SystemScanProgress& scan);

// The exit status of a scan that is over: 0 nothing found, 1 something found, 2 not all accounts were scanned.
[[nodiscard]] int status_of(const SystemScanProgress& scan) noexcept;

[[nodiscard]] std::string find_text(const FindOfAccount& find);
[[nodiscard]] std::string find_json(const FindOfAccount& find);
[[nodiscard]] std::string held_text(const HeldSignature& held);
[[nodiscard]] std::string held_json(const HeldSignature& held);

// What became of an account's disinfection.
[[nodiscard]] std::string task_text(const std::string& account, const TaskReport& task);
[[nodiscard]] std::string task_json(const std::string& account, const TaskReport& task);

}  // namespace clamscanner
