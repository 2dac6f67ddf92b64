// The configuration, /etc/clamscanner/clamscanner.toml: one file for all programs, read by each at its start. This
// header has the sections that root's programs use; the others are in jobs/shared/settings.h.
//
// Every key has a default, so an empty file is valid. An unknown key, a value of the wrong type or out of range is a
// ConfigError that names file, line and key, and the program does not start. authd reads it as root: therefore the file
// must belong to root (or to whoever runs the program) and nobody else may be able to write it.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace clamscanner {

struct ConfigError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Config {
    struct {
        std::string run_directory = "/run/clamscanner";
        std::string state_directory = "/var/lib/clamscanner";
        std::string program_directory;  // default: where they were installed
        std::string signature_directory = "/var/lib/clamav";
        std::string embedded_signature_directory;  // default: where it was installed
    } paths;

    struct {
        std::vector<std::string> users = {"clamscanner-fcgi"};
        bool allow_shared_web_user = false;
        std::string socket = "/run/clamscanner/fcgi/fcgi.sock";
        std::string socket_group;  // "": the responder's own
        std::uint64_t threads = 64;
        std::uint64_t max_body_bytes = 1024 * 1024;
        std::uint64_t max_disinfect_body_bytes = 16 * 1024 * 1024;
        std::uint64_t read_seconds = 30;   // for a whole request to arrive
        std::uint64_t reply_seconds = 60;  // for the login and the agent's answer
        std::string realm = "Virus scanner";
    } responder;

    struct {
        std::string pam_service = "clamscanner";
        std::uint64_t uid_floor = 1000;
        std::uint64_t pam_processes = 0;  // 0: one for each core
        std::uint64_t pam_seconds = 20;
        std::uint64_t failure_milliseconds = 1000;
        std::uint64_t cache_seconds = 900;
        std::uint64_t remote_cache_seconds = 10;
        std::uint64_t account_failures = 10;
        std::uint64_t address_failures = 300;
        std::uint64_t window_seconds = 60;
        std::uint64_t penalty_seconds = 30;
        std::uint64_t max_waiting = 32;
    } login;

    struct {
        std::uint64_t max_agents = 200;
        std::uint64_t idle_seconds = 60;
        std::uint64_t request_seconds = 20;
        std::uint64_t max_requests_per_account = 24;
    } agents;

    struct {
        std::string user = "clamscanner-jobd";
        std::uint64_t max_running = 2;
        std::uint64_t turn_minutes = 10;
        std::uint64_t stall_seconds = 2;
        std::uint64_t abandon_seconds = 30;
        std::uint64_t retry_seconds = 60;
        std::uint64_t max_job_hours = 24;
        std::uint64_t max_connections_per_account = 16;
        std::vector<std::string> host_users;  // system users who see the whole host's statistics
    } jobs;

    struct {
        std::string access_keys = "/etc/clamscanner/access_keys";
        std::string nonces = "/var/lib/clamscanner-authd/nonces";
        std::uint64_t max_nonces_per_key = 4096;
    } statistics;

    // Beside the nonces, where only root may write (auth/identity/held_accounts.h).
    [[nodiscard]] std::string held_accounts() const {
        return statistics.nonces.substr(0, statistics.nonces.rfind('/')) + "/held_accounts";
    }

    // Where the programs and their sockets are.
    [[nodiscard]] std::string login_socket() const { return paths.run_directory + "/authd/login.sock"; }
    [[nodiscard]] std::string runner_socket() const { return paths.run_directory + "/authd/runner.sock"; }
    [[nodiscard]] std::string accounts_socket() const { return paths.run_directory + "/authd/accounts.sock"; }
    [[nodiscard]] std::string jobs_socket() const { return paths.run_directory + "/jobd/jobs.sock"; }
    [[nodiscard]] std::string engine_socket() const { return paths.run_directory + "/engine/engine.sock"; }
    [[nodiscard]] std::string program(const char* name) const { return paths.program_directory + "/" + name; }
};

// Throws ConfigError; std::system_error when the file cannot be opened. Sections that root's programs do not use are
// not checked.
[[nodiscard]] Config read_config(const std::string& file);

// The same for a text; `file` only names it in errors.
[[nodiscard]] Config parse_config(const std::string& text, const std::string& file);

// Reads a file that belongs to root (or to whoever runs this) and gives nobody else any of the `forbidden` rights.
// Throws as read_config() does.
inline constexpr std::size_t largest_trusted_file = 1024 * 1024;
[[nodiscard]] std::string read_trusted_file(const std::string& file, mode_t forbidden = S_IWGRP | S_IWOTH);

// A part of read_config(), for jobs/shared/settings.h.
class ConfigKeys;
void take_config(ConfigKeys& keys, Config& config);

}  // namespace clamscanner
