// The configuration, /etc/clamscanner/clamscanner.toml and what lies beside it in conf.d: the same for all programs,
// read by each at its start. This header has the sections that root's programs use; the others are in
// jobs/shared/settings.h.
//
// Every key has a default, so an empty file is valid. An unknown key, a value of the wrong type or out of range is a
// ConfigError that names file, line and key, and no program starts, whichever sections it uses. authd reads it as root:
// therefore the files must belong to root (or to whoever runs the program) and nobody else may be able to write them.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace clamscanner {

class ConfigKeys;

struct ConfigError : std::runtime_error {
    using std::runtime_error::runtime_error;
    // A line each.
    explicit ConfigError(const std::vector<std::string>& faults);
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
        std::string page_directory;  // default: where it was installed; "": no page
        std::string frame_ancestors = "'none'";
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
        std::uint64_t max_running = 4;
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

    struct {
        bool enabled = true;
        std::uint64_t max_per_account = 16;
        std::uint64_t default_days = 90;
        bool suspend_on_password_change = true;
    } tokens;

    struct {
        std::string database;  // libpq's description of a connection; "": this host is no centre
        std::string user = "clamscanner-fleetd";
        std::string keys_directory = "/var/lib/clamscanner-fleetd";
        std::string ca_file;  // "": the system's
        std::uint64_t look_seconds = 60;
        std::uint64_t task_look_seconds = 10;
        std::uint64_t deadline_minutes = 1440;
        [[nodiscard]] bool is_centre() const noexcept { return !database.empty(); }
    } fleet;

    std::string audit_directory;  // "": the log alone
    // Each daemon that writes events has a file of its own there, "" for none.
    static constexpr const char* roots_audit_file = "authd.jsonl";
    [[nodiscard]] std::string audit_file(const std::string& name = roots_audit_file) const {
        return audit_directory.empty() ? "" : audit_directory + "/" + name;
    }

    // "FILE, line N" of each key that was given, and the file that gives no other.
    std::map<std::string, std::string> places;
    std::string file;
    std::shared_ptr<const ConfigKeys> keys;  // as they are in force
    // For errors: "FILE, line N: section.key", or that the key has its default.
    [[nodiscard]] std::string name_of(const std::string& key) const;

    // Beside the nonces, where only root may write (auth/authd/api_tokens.h).
    [[nodiscard]] std::string token_directory() const {
        return statistics.nonces.substr(0, statistics.nonces.rfind('/')) + "/tokens";
    }
    // Beside the nonces, where only root may write (auth/identity/held_accounts.h).
    [[nodiscard]] std::string held_accounts() const {
        return statistics.nonces.substr(0, statistics.nonces.rfind('/')) + "/held_accounts";
    }

    // Where the programs and their sockets are.
    [[nodiscard]] std::string login_socket() const { return paths.run_directory + "/authd/login.sock"; }
    [[nodiscard]] std::string runner_socket() const { return paths.run_directory + "/authd/runner.sock"; }
    [[nodiscard]] std::string accounts_socket() const { return paths.run_directory + "/authd/accounts.sock"; }
    // Of vouchers (voucher.h); authd makes it, and root and jobd read it.
    [[nodiscard]] std::string voucher_key() const { return paths.run_directory + "/authd/voucher.key"; }
    [[nodiscard]] std::string jobs_socket() const { return paths.run_directory + "/jobd/jobs.sock"; }
    [[nodiscard]] std::string fleet_socket() const { return paths.run_directory + "/fleetd/fleet.sock"; }
    // Of the daemon of that name ("authd", "jobd", "engine"): figures.h.
    [[nodiscard]] std::string figures_file(const char* daemon) const {
        return paths.run_directory + "/" + daemon + "/figures";
    }
    [[nodiscard]] std::string engine_socket() const { return paths.run_directory + "/engine/engine.sock"; }
    [[nodiscard]] std::string program(const char* name) const { return paths.program_directory + "/" + name; }
};

// Throws ConfigError, for mistakes in any section; std::system_error when a file cannot be opened.
[[nodiscard]] Config read_config(const std::string& file);

// The same for a text; `file` only names it in errors.
[[nodiscard]] Config parse_config(const std::string& text, const std::string& file);

// The file, and then those whose names end in .toml in the directory conf.d beside it, in the order of their names: a
// later one's keys count. Throws as read_config() does.
struct ConfigFile;
[[nodiscard]] std::vector<ConfigFile> read_config_files(const std::string& file);

// Of login.pam_service: why nobody can log in, and what to do; empty when PAM has it.
[[nodiscard]] std::string missing_pam_service(const Config& config);

// Reads a file that belongs to root (or to whoever runs this) and gives nobody else any of the `forbidden` rights.
// Throws as read_config() does.
inline constexpr std::size_t largest_trusted_file = 1024 * 1024;
[[nodiscard]] std::string read_trusted_file(const std::string& file, mode_t forbidden = S_IWGRP | S_IWOTH);

// Reads the files again for a program that runs, and says in the log which keys count from now on, which need a
// restart, or all that is wrong. Null when something is, or none counts from now on: then everything stays as it is.
[[nodiscard]] std::shared_ptr<const ConfigKeys> reread_config(const Config& running) noexcept;
// From them, in place of `running`.
void take_reloaded(const ConfigKeys& keys, Config& running);

// A part of read_config(), for jobs/shared/settings.h.
void take_config(const ConfigKeys& keys, const std::string& file, Config& config);

}  // namespace clamscanner
