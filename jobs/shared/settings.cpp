#include "jobs/shared/settings.h"

#include <sstream>

#include "auth/base/config_keys.h"

namespace clamscanner {
namespace {

constexpr std::uint64_t day = 86'400;
constexpr std::uint64_t gibibyte = 1024ULL * 1024 * 1024;

// A directory below the home, or false.
void scan_directory(ConfigKeys& keys, const char* key, ScanDirectory& value) {
    const auto* node = keys.find(key);
    if (node == nullptr) return;
    if (const auto truth = node->value_exact<bool>(); truth && !*truth) {
        value.allowed = false;
        return;
    }
    const auto given = node->value_exact<std::string>();
    const std::string wanted = "must be a directory below the home (no leading slash, no . or ..), or false";
    if (!given || given->starts_with('/') || given->ends_with('/') || given->find('\0') != std::string::npos)
        keys.refuse(*node, key, wanted);
    std::istringstream parts(*given);
    for (std::string part; std::getline(parts, part, '/');)
        if (part.empty() || part == "." || part == "..") keys.refuse(*node, key, wanted);
    value = {true, *given};
}

void take_settings(ConfigKeys& keys, Settings& settings) {
    take_config(keys, settings);
    auto& engine = settings.engine;
    keys.text("engine.user", engine.user);
    keys.number("engine.scan_workers", engine.scan_workers, 0, 256);
    keys.number("engine.idle_minutes", engine.idle_minutes, 0, 525'600);
    keys.path("engine.memory_directory", engine.memory_directory);
    keys.number("engine.rescan_days", engine.rescan_days, 0, 365);
    keys.boolean("engine.known_contents", engine.known_contents);
    keys.number("engine.known_contents_accounts", engine.known_contents_accounts, 2, 100);
    keys.number("engine.known_contents_limit", engine.known_contents_limit, 1000, 100'000'000);
    keys.number("engine.max_scan_bytes", engine.max_scan_bytes, 1024, 4 * gibibyte - 1);
    keys.number("engine.max_file_bytes", engine.max_file_bytes, 1024, 2 * gibibyte - 1);
    keys.number("engine.max_recursion", engine.max_recursion, 1, 100);
    keys.number("engine.max_files", engine.max_files, 1, 10'000'000);
    keys.number("engine.max_scan_seconds", engine.max_scan_seconds, 1, day);
    keys.number("engine.pcre_match_limit", engine.pcre_match_limit, 1, UINT32_MAX);
    keys.number("engine.pcre_recursion_limit", engine.pcre_recursion_limit, 1, UINT32_MAX);
    keys.number("engine.max_worker_memory_bytes", engine.max_worker_memory_bytes, gibibyte / 4, 1024 * gibibyte);
    keys.number("engine.max_temporary_bytes", engine.max_temporary_bytes, gibibyte / 16, 1024 * gibibyte);

    keys.number("quarantine.days", settings.quarantine_days, 0, 36'500);
    keys.number("history.days", settings.history_days, 0, 36'500);
    keys.number("brake.files_percent", settings.brake.files_percent, 1, 100);
    keys.number("brake.accounts_percent", settings.brake.accounts_percent, 1, 100);

    for (const auto& row : scan_types)
        scan_directory(keys, row.setting, settings.scan.at(static_cast<std::size_t>(row.type)));
}

}  // namespace

Settings parse_settings(const std::string& text, const std::string& file) {
    ConfigKeys keys(text, file);
    Settings settings;
    take_settings(keys, settings);
    keys.refuse_unknown(ConfigKeys::Unknown::Refused);
    return settings;
}

Settings read_settings(const std::string& file) {
    return parse_settings(read_trusted_file(file), file);
}

std::set<std::string> setting_keys() {
    ConfigKeys keys("", "");
    Settings settings;
    take_settings(keys, settings);
    return keys.known();
}

}  // namespace clamscanner
