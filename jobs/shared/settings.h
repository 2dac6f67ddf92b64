// The rest of the configuration (auth/base/config.h): the sections that only unprivileged programs use.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "auth/base/config.h"
#include "jobs/shared/scan_types.h"

namespace clamscanner {

struct ScanDirectory {
    bool allowed = false;
    std::string directory = {};  // below the home; "" is the home itself
};

// Which finds of scheduled scans, and of scans of all accounts, are quarantined by themselves.
enum class AutomaticQuarantinePolicy : std::uint8_t { Never, Certain, All };

struct Settings : Config {
    // The socket on which the administrator's command connects to jobd.
    [[nodiscard]] std::string administrator_socket() const { return paths.run_directory + "/jobd/admin.sock"; }

    struct {
        std::string user = "clamscanner-engine";
        std::uint64_t scan_workers = 0;  // 0: one for each core
        std::uint64_t idle_minutes = 15;
        std::string memory_directory = "/var/lib/clamscanner-engine";
        std::uint64_t rescan_days = 7;
        bool known_contents = true;
        std::uint64_t known_contents_accounts = 3;
        std::uint64_t known_contents_limit = 500'000;
        std::uint64_t max_scan_bytes = 100 * 1024 * 1024;
        std::uint64_t max_file_bytes = 25 * 1024 * 1024;
        std::uint64_t max_recursion = 16;
        std::uint64_t max_files = 10000;
        std::uint64_t max_scan_seconds = 120;
        std::uint64_t pcre_match_limit = 10000;
        std::uint64_t pcre_recursion_limit = 5000;
        std::uint64_t max_worker_memory_bytes = 2048ULL * 1024 * 1024;
        std::uint64_t max_temporary_bytes = 512ULL * 1024 * 1024;
    } engine;

    std::uint64_t quarantine_days = 30;
    std::uint64_t history_days = 365;
    AutomaticQuarantinePolicy automatic_quarantine = AutomaticQuarantinePolicy::Never;

    struct {
        std::uint64_t files_percent = 10;
        std::uint64_t accounts_percent = 10;
    } brake;

    struct {
        bool allowed = true;
        std::uint64_t first_hour = 0;
        std::uint64_t last_hour = 23;  // may be before the first: over midnight
        [[nodiscard]] bool has_hour(std::uint64_t hour) const {
            if (first_hour <= last_hour) return hour >= first_hour && hour <= last_hour;
            return hour >= first_hour || hour <= last_hour;
        }
    } schedules;

    struct {
        std::string user = "clamscanner-notify";
        bool owners = true;
        std::uint64_t max_mails_a_day = 3;
        std::string page_url;
        std::string sender;
        std::uint64_t smtp_port = 25;
        std::string administrator;
        std::uint64_t digest_hour = 7;
        std::string hook;
        std::uint64_t hook_seconds = 30;
    } notifications;

    std::array<ScanDirectory, scan_type_count> scan = [] {
        std::array<ScanDirectory, scan_type_count> all;
        for (const auto& row : scan_types)
            all.at(static_cast<std::size_t>(row.type)) = {true, std::string(row.directory)};
        return all;
    }();
    [[nodiscard]] const ScanDirectory& scan_of(ScanType type) const { return scan.at(static_cast<std::size_t>(type)); }
};

// From the keys of reread_config(), in place of `running`.
void take_reloaded(const ConfigKeys& keys, Settings& running);

// Throws as read_config() does.
[[nodiscard]] Settings read_settings(const std::string& file);
[[nodiscard]] Settings parse_settings(const std::string& text, const std::string& file);

}  // namespace clamscanner
