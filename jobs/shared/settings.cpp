#include "jobs/shared/settings.h"

#include <algorithm>

#include "auth/base/config_keys.h"
#include "auth/base/config_rules.h"

namespace clamscanner {
namespace {

// (Not with find_config_rule(): with its sanitizers, g++ 12 takes no pointer to a table for a constant.)
constexpr bool has_rule(std::string_view key) {
    return std::ranges::any_of(config_rules, [key](const ConfigRule& rule) { return rule.key == key; });
}
static_assert(std::ranges::all_of(scan_types, [](const auto& row) { return has_rule(row.setting); }),
              "each scan type has a rule for its key");

// A directory below the home, or false.
void take_scan_directory(const ConfigKeys& keys, const char* key, ScanDirectory& value) {
    const auto* given = keys.find(key);
    if (given == nullptr) return;
    const auto* directory = std::get_if<std::string>(given);
    value.allowed = directory != nullptr;
    if (directory != nullptr) value.directory = *directory;
}

// The rule accepts these words alone.
void take_automatic_quarantine(const ConfigKeys& keys, AutomaticQuarantinePolicy& value) {
    std::string word;
    keys.take("quarantine.automatic", word);
    if (word == "never") value = AutomaticQuarantinePolicy::Never;
    if (word == "certain") value = AutomaticQuarantinePolicy::Certain;
    if (word == "all") value = AutomaticQuarantinePolicy::All;
}

Settings settings_in(const ConfigKeys& keys, const std::string& file) {
    Settings settings;
    take_config(keys, file, settings);
    auto& engine = settings.engine;
    keys.take("engine.user", engine.user);
    keys.take("engine.scan_workers", engine.scan_workers);
    keys.take("engine.idle_minutes", engine.idle_minutes);
    keys.take("engine.memory_directory", engine.memory_directory);
    keys.take("engine.rescan_days", engine.rescan_days);
    keys.take("engine.known_contents", engine.known_contents);
    keys.take("engine.known_contents_accounts", engine.known_contents_accounts);
    keys.take("engine.known_contents_limit", engine.known_contents_limit);
    keys.take("engine.max_scan_bytes", engine.max_scan_bytes);
    keys.take("engine.max_file_bytes", engine.max_file_bytes);
    keys.take("engine.max_recursion", engine.max_recursion);
    keys.take("engine.max_files", engine.max_files);
    keys.take("engine.max_scan_seconds", engine.max_scan_seconds);
    keys.take("engine.pcre_match_limit", engine.pcre_match_limit);
    keys.take("engine.pcre_recursion_limit", engine.pcre_recursion_limit);
    keys.take("engine.max_worker_memory_bytes", engine.max_worker_memory_bytes);
    keys.take("engine.max_temporary_bytes", engine.max_temporary_bytes);

    keys.take("quarantine.days", settings.quarantine_days);
    take_automatic_quarantine(keys, settings.automatic_quarantine);
    keys.take("history.days", settings.history_days);
    keys.take("brake.files_percent", settings.brake.files_percent);
    keys.take("brake.accounts_percent", settings.brake.accounts_percent);
    keys.take("schedules.allowed", settings.schedules.allowed);
    keys.take("schedules.first_hour", settings.schedules.first_hour);
    keys.take("schedules.last_hour", settings.schedules.last_hour);

    auto& notifications = settings.notifications;
    keys.take("notifications.user", notifications.user);
    keys.take("notifications.owners", notifications.owners);
    keys.take("notifications.max_mails_a_day", notifications.max_mails_a_day);
    keys.take("notifications.page_url", notifications.page_url);
    keys.take("notifications.sender", notifications.sender);
    keys.take("notifications.smtp_port", notifications.smtp_port);
    keys.take("notifications.administrator", notifications.administrator);
    keys.take("notifications.digest_hour", notifications.digest_hour);
    keys.take("notifications.hook", notifications.hook);
    keys.take("notifications.hook_seconds", notifications.hook_seconds);

    for (const auto& row : scan_types)
        take_scan_directory(keys, row.setting, settings.scan.at(static_cast<std::size_t>(row.type)));
    return settings;
}

}  // namespace

void take_reloaded(const ConfigKeys& keys, Settings& running) {
    running = settings_in(keys, running.file);
}

Settings parse_settings(const std::string& text, const std::string& file) {
    return settings_in(ConfigKeys({{file, text}}), file);
}

Settings read_settings(const std::string& file) {
    return settings_in(ConfigKeys(read_config_files(file)), file);
}

}  // namespace clamscanner
