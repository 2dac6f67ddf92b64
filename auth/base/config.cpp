#include "auth/base/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/config_keys.h"
#include "auth/base/log.h"
#include "auth/base/unique_fd.h"

#if !defined(CLAMSCANNER_PROGRAM_DIRECTORY) || !defined(CLAMSCANNER_SIGNATURE_DIRECTORY) || \
    !defined(CLAMSCANNER_PAGE_DIRECTORY)
#error "the build must say where programs, embedded signatures and the page are installed"
#endif

namespace clamscanner {
namespace {

std::string joined(const std::vector<std::string>& faults) {
    std::string text;
    for (const auto& fault : faults) text += (text.empty() ? "" : "\n") + fault;
    return text;
}

// Whoever can write it can add settings.
void require_trusted_directory(const std::string& directory) {
    struct stat status {};
    checked(::stat(directory.c_str(), &status), ("examine " + directory).c_str());
    if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw ConfigError(directory + " must belong to root, and nobody else may write it");
}

std::vector<std::string> additions_to(const std::string& file) {
    const auto directory = std::filesystem::path(file).parent_path() / "conf.d";
    std::vector<std::string> names;
    if (!std::filesystem::is_directory(directory)) return names;
    require_trusted_directory(directory);
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const auto name = entry.path().filename().string();
        if (name.ends_with(".toml") && !name.starts_with('.')) names.push_back(entry.path());
    }
    std::ranges::sort(names);
    return names;
}

void take_fleet(const ConfigKeys& keys, Config& config) {
    auto& fleet = config.fleet;
    keys.take("fleet.database", fleet.database);
    keys.take("fleet.user", fleet.user);
    keys.take("fleet.keys_directory", fleet.keys_directory);
    keys.take("fleet.ca_file", fleet.ca_file);
    keys.take("fleet.look_seconds", fleet.look_seconds);
    keys.take("fleet.task_look_seconds", fleet.task_look_seconds);
    keys.take("fleet.deadline_minutes", fleet.deadline_minutes);
    // Everybody may read this file.
    if (fleet.database.find("password") != std::string::npos || fleet.database.find("://") != std::string::npos)
        throw ConfigError(config.name_of("fleet.database") +
                          " has a password, or is a URL, which may have one; and everybody may read this file: write "
                          "it as name=value, and put a password into a file that only " +
                          fleet.user + " may read, and name that as passfile=");
}

}  // namespace

ConfigError::ConfigError(const std::vector<std::string>& faults) : std::runtime_error(joined(faults)) {}

std::string Config::name_of(const std::string& key) const {
    const auto place = places.find(key);
    return place == places.end() ? file + ": " + key + " (its default)" : place->second + ": " + key;
}

void take_config(const ConfigKeys& keys, const std::string& file, Config& config) {
    config.places = keys.places();
    config.file = file;
    config.keys = std::make_shared<const ConfigKeys>(keys);
    config.paths.program_directory = CLAMSCANNER_PROGRAM_DIRECTORY;
    config.paths.embedded_signature_directory = CLAMSCANNER_SIGNATURE_DIRECTORY;
    config.responder.page_directory = CLAMSCANNER_PAGE_DIRECTORY;
    keys.take("paths.run_directory", config.paths.run_directory);
    keys.take("paths.state_directory", config.paths.state_directory);
    keys.take("paths.program_directory", config.paths.program_directory);
    keys.take("paths.signature_directory", config.paths.signature_directory);
    keys.take("paths.embedded_signature_directory", config.paths.embedded_signature_directory);

    auto& responder = config.responder;
    keys.take("responder.users", responder.users);
    keys.take("responder.allow_shared_web_user", responder.allow_shared_web_user);
    keys.take("responder.socket", responder.socket);
    keys.take("responder.socket_group", responder.socket_group);
    keys.take("responder.threads", responder.threads);
    keys.take("responder.max_body_bytes", responder.max_body_bytes);
    keys.take("responder.max_disinfect_body_bytes", responder.max_disinfect_body_bytes);
    keys.take("responder.read_seconds", responder.read_seconds);
    keys.take("responder.reply_seconds", responder.reply_seconds);
    keys.take("responder.realm", responder.realm);
    keys.take("responder.page_directory", responder.page_directory);
    keys.take("responder.frame_ancestors", responder.frame_ancestors);

    auto& login = config.login;
    keys.take("login.pam_service", login.pam_service);
    keys.take("login.uid_floor", login.uid_floor);
    keys.take("login.pam_processes", login.pam_processes);
    keys.take("login.pam_seconds", login.pam_seconds);
    keys.take("login.failure_milliseconds", login.failure_milliseconds);
    keys.take("login.cache_seconds", login.cache_seconds);
    keys.take("login.remote_cache_seconds", login.remote_cache_seconds);
    keys.take("login.account_failures", login.account_failures);
    keys.take("login.address_failures", login.address_failures);
    keys.take("login.window_seconds", login.window_seconds);
    keys.take("login.penalty_seconds", login.penalty_seconds);
    keys.take("login.max_waiting", login.max_waiting);

    auto& agents = config.agents;
    keys.take("agents.max_agents", agents.max_agents);
    keys.take("agents.idle_seconds", agents.idle_seconds);
    keys.take("agents.request_seconds", agents.request_seconds);
    keys.take("agents.max_requests_per_account", agents.max_requests_per_account);

    auto& jobs = config.jobs;
    keys.take("jobs.user", jobs.user);
    keys.take("jobs.max_running", jobs.max_running);
    keys.take("jobs.turn_minutes", jobs.turn_minutes);
    keys.take("jobs.stall_seconds", jobs.stall_seconds);
    keys.take("jobs.abandon_seconds", jobs.abandon_seconds);
    keys.take("jobs.retry_seconds", jobs.retry_seconds);
    keys.take("jobs.max_job_hours", jobs.max_job_hours);
    keys.take("jobs.max_connections_per_account", jobs.max_connections_per_account);
    keys.take("jobs.host_users", jobs.host_users);

    auto& statistics = config.statistics;
    keys.take("statistics.access_keys", statistics.access_keys);
    keys.take("statistics.nonces", statistics.nonces);
    keys.take("statistics.max_nonces_per_key", statistics.max_nonces_per_key);

    auto& tokens = config.tokens;
    keys.take("tokens.enabled", tokens.enabled);
    keys.take("tokens.max_per_account", tokens.max_per_account);
    keys.take("tokens.default_days", tokens.default_days);
    keys.take("tokens.suspend_on_password_change", tokens.suspend_on_password_change);
    keys.take("audit.directory", config.audit_directory);
    take_fleet(keys, config);
}

Config parse_config(const std::string& text, const std::string& file) {
    Config config;
    take_config(ConfigKeys({{file, text}}), file, config);
    return config;
}

Config read_config(const std::string& file) {
    Config config;
    take_config(ConfigKeys(read_config_files(file)), file, config);
    return config;
}

namespace {

std::string listed(const std::vector<std::string>& keys) {
    std::string text;
    for (const auto& key : keys) text += (text.empty() ? "" : ", ") + key;
    return text;
}

}  // namespace

std::shared_ptr<const ConfigKeys> reread_config(const Config& running) noexcept try {
    ConfigKeys fresh(read_config_files(running.file));
    const auto changes = fresh.follow(*running.keys);
    log_line(Severity::Info, changes.counting.empty()
                                 ? "the configuration was read again: nothing that can change has"
                                 : "from now on these settings count: " + listed(changes.counting));
    if (!changes.waiting.empty())
        log_line(Severity::Warning,
                 "these settings have changed, but count only after a restart: " + listed(changes.waiting));
    return changes.counting.empty() ? nullptr : std::make_shared<const ConfigKeys>(std::move(fresh));
} catch (const std::exception& error) {
    log_line(Severity::Error, "the old settings stay in force, since the new ones are wrong:");
    std::istringstream faults(error.what());
    for (std::string fault; std::getline(faults, fault);) log_line(Severity::Error, fault);
    return nullptr;
}

void take_reloaded(const ConfigKeys& keys, Config& running) {
    Config fresh;
    take_config(keys, running.file, fresh);
    running = std::move(fresh);
}

std::vector<ConfigFile> read_config_files(const std::string& file) {
    std::vector<ConfigFile> files{{file, read_trusted_file(file)}};
    for (const auto& addition : additions_to(file)) files.push_back({addition, read_trusted_file(addition)});
    return files;
}

std::string missing_pam_service(const Config& config) {
    const auto& name = config.login.pam_service;
    for (const char* directory : {"/etc/pam.d/", "/usr/lib/pam.d/"})
        if (::access((directory + name).c_str(), F_OK) == 0) return "";
    // Without it PAM takes the service "other", which on most hosts refuses everybody.
    return config.name_of("login.pam_service") + ": there is no PAM service /etc/pam.d/" + name +
           ", so every login is refused and no job starts. Install the file, or name another service";
}

std::string read_trusted_file(const std::string& file, mode_t forbidden) {
    const UniqueFd fd(checked(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY), ("open " + file).c_str()));
    struct stat status {};
    checked(::fstat(fd.get(), &status), "examine a file");
    if (!S_ISREG(status.st_mode)) throw ConfigError(file + " is not a regular file");
    if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & forbidden) != 0)
        throw ConfigError(file + " must belong to root, and nobody else may " +
                          ((forbidden & S_IROTH) != 0 ? "read or write it" : "write it"));
    std::string text;
    char chunk[16 * 1024];
    for (;;) {
        const auto got = checked(uninterrupted([&] { return ::read(fd.get(), chunk, sizeof chunk); }), "read a file");
        if (got == 0) break;
        text.append(chunk, static_cast<std::size_t>(got));
        if (text.size() > largest_trusted_file) throw ConfigError(file + " is larger than 1 MiB");
    }
    return text;
}

}  // namespace clamscanner
