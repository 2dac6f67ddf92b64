// Every key of the configuration, and what it accepts: the one table by which each program checks all of it, whichever
// keys it uses, so that a mistake is found by all of them or by none. Root's programs run it, too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "auth/base/limits.h"

namespace clamscanner {

enum class Accepts : std::uint8_t {
    Number,           // whole, from `least` to `most`
    Truth,            // true or false
    Text,             // a string of one line
    Path,             // an absolute path
    PathOrNone,       // the same, or ""
    AddressOrNone,    // a mail address (mail_address.h), or ""
    UrlOrNone,        // http://… or https://… in printable ASCII, or ""
    Names,            // a list of strings, at least `least` of them
    NeverCertainAll,  // one of these words
    HomeDirectory,    // a directory below the home ("" is the home itself), or false
};

// When another value counts: at once when the programs are told to read the files again (SIGHUP), or only in programs
// that are started anew.
enum class Counts : std::uint8_t { AfterReload, AfterRestart };

struct ConfigRule {
    std::string_view key;  // "section.key"
    Counts counts;
    Accepts accepts;
    std::uint64_t least = 0;
    std::uint64_t most = 0;
};

namespace config_units {
inline constexpr std::uint64_t day = 86'400;  // seconds
inline constexpr std::uint64_t mebibyte = 1024 * 1024;
inline constexpr std::uint64_t gibibyte = 1024 * mebibyte;
}  // namespace config_units

// In the order of the sample (auth/base/clamscanner.toml).
inline constexpr ConfigRule config_rules[] = {
    {"paths.run_directory", Counts::AfterRestart, Accepts::Path},
    {"paths.state_directory", Counts::AfterRestart, Accepts::Path},
    {"paths.program_directory", Counts::AfterRestart, Accepts::Path},
    {"paths.signature_directory", Counts::AfterRestart, Accepts::Path},
    {"paths.embedded_signature_directory", Counts::AfterRestart, Accepts::Path},
    {"responder.users", Counts::AfterRestart, Accepts::Names, 1},
    {"responder.allow_shared_web_user", Counts::AfterRestart, Accepts::Truth},
    {"responder.socket", Counts::AfterRestart, Accepts::Path},
    {"responder.socket_group", Counts::AfterRestart, Accepts::Text},
    {"responder.threads", Counts::AfterRestart, Accepts::Number, 2, 1024},
    {"responder.max_body_bytes", Counts::AfterRestart, Accepts::Number, 1024, 32 * config_units::mebibyte},
    {"responder.max_disinfect_body_bytes", Counts::AfterRestart, Accepts::Number, 1024, 32 * config_units::mebibyte},
    {"responder.read_seconds", Counts::AfterRestart, Accepts::Number, 1, 600},
    {"responder.reply_seconds", Counts::AfterRestart, Accepts::Number, 1, 600},
    {"responder.realm", Counts::AfterRestart, Accepts::Text},
    {"responder.page_directory", Counts::AfterRestart, Accepts::PathOrNone},
    {"responder.frame_ancestors", Counts::AfterRestart, Accepts::Text},
    {"login.pam_service", Counts::AfterReload, Accepts::Text},
    {"login.uid_floor", Counts::AfterRestart, Accepts::Number, 1, UINT32_MAX - 1},
    {"login.pam_processes", Counts::AfterRestart, Accepts::Number, 0, 256},
    {"login.pam_seconds", Counts::AfterReload, Accepts::Number, 1, 300},
    {"login.failure_milliseconds", Counts::AfterReload, Accepts::Number, 0, 10'000},
    {"login.cache_seconds", Counts::AfterReload, Accepts::Number, 0, 3600},
    {"login.remote_cache_seconds", Counts::AfterReload, Accepts::Number, 0, 3600},
    {"login.account_failures", Counts::AfterReload, Accepts::Number, 1, 1'000'000},
    {"login.address_failures", Counts::AfterReload, Accepts::Number, 1, 1'000'000},
    {"login.window_seconds", Counts::AfterReload, Accepts::Number, 1, config_units::day},
    {"login.penalty_seconds", Counts::AfterReload, Accepts::Number, 1, config_units::day},
    {"login.max_waiting", Counts::AfterRestart, Accepts::Number, 1, 4096},
    {"agents.max_agents", Counts::AfterReload, Accepts::Number, 1, 100'000},
    {"agents.idle_seconds", Counts::AfterReload, Accepts::Number, 1, config_units::day},
    {"agents.request_seconds", Counts::AfterReload, Accepts::Number, 1, 600},
    {"agents.max_requests_per_account", Counts::AfterReload, Accepts::Number, 1, 1024},
    {"jobs.user", Counts::AfterRestart, Accepts::Text},
    {"jobs.max_running", Counts::AfterReload, Accepts::Number, 1, 1024},
    {"jobs.turn_minutes", Counts::AfterReload, Accepts::Number, 1, 1440},
    {"jobs.stall_seconds", Counts::AfterReload, Accepts::Number, 1, 3600},
    {"jobs.abandon_seconds", Counts::AfterReload, Accepts::Number, 1, config_units::day},
    {"jobs.retry_seconds", Counts::AfterReload, Accepts::Number, 1, config_units::day},
    {"jobs.max_job_hours", Counts::AfterReload, Accepts::Number, 1, 8760},
    {"jobs.max_connections_per_account", Counts::AfterReload, Accepts::Number, 2, 1024},
    {"jobs.host_users", Counts::AfterRestart, Accepts::Names},
    {"statistics.access_keys", Counts::AfterRestart, Accepts::Path},
    {"statistics.nonces", Counts::AfterRestart, Accepts::Path},
    {"statistics.max_nonces_per_key", Counts::AfterRestart, Accepts::Number, 1, 1'000'000},
    {"tokens.enabled", Counts::AfterReload, Accepts::Truth},
    {"tokens.max_per_account", Counts::AfterReload, Accepts::Number, 1, most_tokens_per_account},
    {"tokens.default_days", Counts::AfterReload, Accepts::Number, 1, 3650},
    {"tokens.suspend_on_password_change", Counts::AfterReload, Accepts::Truth},
    {"audit.directory", Counts::AfterReload, Accepts::PathOrNone},
    {"engine.user", Counts::AfterRestart, Accepts::Text},
    {"engine.scan_workers", Counts::AfterReload, Accepts::Number, 0, 256},
    {"engine.idle_minutes", Counts::AfterReload, Accepts::Number, 0, 525'600},
    {"engine.memory_directory", Counts::AfterRestart, Accepts::Path},
    {"engine.rescan_days", Counts::AfterReload, Accepts::Number, 0, 365},
    {"engine.known_contents", Counts::AfterRestart, Accepts::Truth},
    {"engine.known_contents_accounts", Counts::AfterRestart, Accepts::Number, 2, 100},
    {"engine.known_contents_limit", Counts::AfterRestart, Accepts::Number, 1000, 100'000'000},
    {"engine.max_scan_bytes", Counts::AfterReload, Accepts::Number, 1024, 4 * config_units::gibibyte - 1},
    {"engine.max_file_bytes", Counts::AfterReload, Accepts::Number, 1024, 2 * config_units::gibibyte - 1},
    {"engine.max_recursion", Counts::AfterReload, Accepts::Number, 1, 100},
    {"engine.max_files", Counts::AfterReload, Accepts::Number, 1, 10'000'000},
    {"engine.max_scan_seconds", Counts::AfterReload, Accepts::Number, 1, config_units::day},
    {"engine.pcre_match_limit", Counts::AfterReload, Accepts::Number, 1, UINT32_MAX},
    {"engine.pcre_recursion_limit", Counts::AfterReload, Accepts::Number, 1, UINT32_MAX},
    {"engine.max_worker_memory_bytes", Counts::AfterReload, Accepts::Number, config_units::gibibyte / 4,
     1024 * config_units::gibibyte},
    {"engine.max_temporary_bytes", Counts::AfterReload, Accepts::Number, config_units::gibibyte / 16,
     1024 * config_units::gibibyte},
    {"quarantine.automatic", Counts::AfterReload, Accepts::NeverCertainAll},
    {"quarantine.days", Counts::AfterReload, Accepts::Number, 0, 36'500},
    {"history.days", Counts::AfterReload, Accepts::Number, 0, 36'500},
    {"brake.files_percent", Counts::AfterReload, Accepts::Number, 1, 100},
    {"brake.accounts_percent", Counts::AfterReload, Accepts::Number, 1, 100},
    {"schedules.allowed", Counts::AfterReload, Accepts::Truth},
    {"schedules.first_hour", Counts::AfterReload, Accepts::Number, 0, 23},
    {"schedules.last_hour", Counts::AfterReload, Accepts::Number, 0, 23},
    {"notifications.user", Counts::AfterRestart, Accepts::Text},
    {"notifications.owners", Counts::AfterReload, Accepts::Truth},
    {"notifications.max_mails_a_day", Counts::AfterReload, Accepts::Number, 1, 100},
    {"notifications.page_url", Counts::AfterReload, Accepts::UrlOrNone},
    {"notifications.sender", Counts::AfterReload, Accepts::AddressOrNone},
    {"notifications.smtp_port", Counts::AfterReload, Accepts::Number, 1, 65'535},
    {"notifications.administrator", Counts::AfterReload, Accepts::AddressOrNone},
    {"notifications.digest_hour", Counts::AfterReload, Accepts::Number, 0, 23},
    {"notifications.hook", Counts::AfterReload, Accepts::PathOrNone},
    {"notifications.hook_seconds", Counts::AfterReload, Accepts::Number, 1, 3600},
    {"fleet.database", Counts::AfterRestart, Accepts::Text},
    {"fleet.user", Counts::AfterRestart, Accepts::Text},
    {"fleet.keys_directory", Counts::AfterRestart, Accepts::Path},
    {"fleet.ca_file", Counts::AfterRestart, Accepts::PathOrNone},
    {"fleet.look_seconds", Counts::AfterRestart, Accepts::Number, 1, 3600},
    {"fleet.task_look_seconds", Counts::AfterRestart, Accepts::Number, 1, 3600},
    {"fleet.deadline_minutes", Counts::AfterRestart, Accepts::Number, 1, 43'200},
    {"scan.home", Counts::AfterReload, Accepts::HomeDirectory},
    {"scan.mail", Counts::AfterReload, Accepts::HomeDirectory},
    {"scan.public_html", Counts::AfterReload, Accepts::HomeDirectory},
    {"scan.public_ftp", Counts::AfterReload, Accepts::HomeDirectory},
};

// Null when there is no such key.
[[nodiscard]] constexpr const ConfigRule* find_config_rule(std::string_view key) noexcept {
    const auto* const found = std::ranges::find(config_rules, key, &ConfigRule::key);
    return found == std::end(config_rules) ? nullptr : found;
}

}  // namespace clamscanner
