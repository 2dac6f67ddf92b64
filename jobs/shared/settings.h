// The rest of the configuration (auth/base/config.h): what only programs that are not root's use.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "auth/base/config.h"

namespace clamscanner {

// The order is the wire's and the database's: never changed.
enum class ScanType : std::uint8_t { Home = 0, Mail = 1, PublicHtml = 2, PublicFtp = 3 };
inline constexpr std::size_t scan_type_count = 4;
inline constexpr std::array<const char*, scan_type_count> scan_type_names = {"home", "mail", "public_html",
                                                                             "public_ftp"};

struct ScanDirectory {
    bool allowed = true;
    std::string directory;  // below the home; "" is the home itself
};

struct Settings : Config {
    // Where the administrator's command meets jobd.
    [[nodiscard]] std::string administrator_socket() const { return paths.run_directory + "/jobd/admin.sock"; }

    struct {
        std::string user = "clamscanner-engine";
        std::uint64_t scan_workers = 0;  // 0: one for each core
        std::uint64_t idle_minutes = 15;
        std::string memory_directory = "/var/lib/clamscanner-engine";
        std::uint64_t rescan_days = 7;
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

    struct {
        std::uint64_t files_percent = 10;
        std::uint64_t accounts_percent = 10;
    } brake;

    std::array<ScanDirectory, scan_type_count> scan = {
        {{true, ""}, {true, "mail"}, {true, "public_html"}, {true, "public_ftp"}}};
};

// All sections; anything else is refused. Throws as read_config() does.
[[nodiscard]] Settings read_settings(const std::string& file);
[[nodiscard]] Settings parse_settings(const std::string& text, const std::string& file);

// "section.key" of every key there is.
[[nodiscard]] std::set<std::string> setting_keys();

}  // namespace clamscanner
