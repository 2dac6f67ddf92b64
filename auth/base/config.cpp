#include "auth/base/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/base/checked.h"
#include "auth/base/config_keys.h"
#include "auth/base/limits.h"
#include "auth/base/unique_fd.h"

#if !defined(CLAMSCANNER_PROGRAM_DIRECTORY) || !defined(CLAMSCANNER_SIGNATURE_DIRECTORY)
#error "the build must say where programs and embedded signatures are installed"
#endif

namespace clamscanner {
namespace {

constexpr std::uint64_t day = 86'400;

}  // namespace

void take_config(ConfigKeys& keys, Config& config) {
    config.paths.program_directory = CLAMSCANNER_PROGRAM_DIRECTORY;
    config.paths.embedded_signature_directory = CLAMSCANNER_SIGNATURE_DIRECTORY;
    keys.path("paths.run_directory", config.paths.run_directory);
    keys.path("paths.state_directory", config.paths.state_directory);
    keys.path("paths.program_directory", config.paths.program_directory);
    keys.path("paths.signature_directory", config.paths.signature_directory);
    keys.path("paths.embedded_signature_directory", config.paths.embedded_signature_directory);

    auto& responder = config.responder;
    keys.names("responder.users", responder.users, 1);
    keys.boolean("responder.allow_shared_web_user", responder.allow_shared_web_user);
    keys.path("responder.socket", responder.socket);
    keys.text("responder.socket_group", responder.socket_group);
    keys.number("responder.threads", responder.threads, 2, 1024);
    keys.number("responder.max_body_bytes", responder.max_body_bytes, 1024, 32 * 1024 * 1024);
    keys.number("responder.max_disinfect_body_bytes", responder.max_disinfect_body_bytes, 1024, 32 * 1024 * 1024);
    keys.number("responder.read_seconds", responder.read_seconds, 1, 600);
    keys.number("responder.reply_seconds", responder.reply_seconds, 1, 600);
    keys.text("responder.realm", responder.realm);

    auto& login = config.login;
    keys.text("login.pam_service", login.pam_service);
    keys.number("login.uid_floor", login.uid_floor, 1, UINT32_MAX - 1);
    keys.number("login.pam_processes", login.pam_processes, 0, 256);
    keys.number("login.pam_seconds", login.pam_seconds, 1, 300);
    keys.number("login.failure_milliseconds", login.failure_milliseconds, 0, 10'000);
    keys.number("login.cache_seconds", login.cache_seconds, 0, 3600);
    keys.number("login.remote_cache_seconds", login.remote_cache_seconds, 0, 3600);
    keys.number("login.account_failures", login.account_failures, 1, 1'000'000);
    keys.number("login.address_failures", login.address_failures, 1, 1'000'000);
    keys.number("login.window_seconds", login.window_seconds, 1, day);
    keys.number("login.penalty_seconds", login.penalty_seconds, 1, day);
    keys.number("login.max_waiting", login.max_waiting, 1, 4096);

    auto& agents = config.agents;
    keys.number("agents.max_agents", agents.max_agents, 1, 100'000);
    keys.number("agents.idle_seconds", agents.idle_seconds, 1, day);
    keys.number("agents.request_seconds", agents.request_seconds, 1, 600);
    keys.number("agents.max_requests_per_account", agents.max_requests_per_account, 1, 1024);

    auto& jobs = config.jobs;
    keys.text("jobs.user", jobs.user);
    keys.number("jobs.max_running", jobs.max_running, 1, 1024);
    keys.number("jobs.turn_minutes", jobs.turn_minutes, 1, 1440);
    keys.number("jobs.stall_seconds", jobs.stall_seconds, 1, 3600);
    keys.number("jobs.abandon_seconds", jobs.abandon_seconds, 1, day);
    keys.number("jobs.retry_seconds", jobs.retry_seconds, 1, day);
    keys.number("jobs.max_job_hours", jobs.max_job_hours, 1, 8760);
    keys.number("jobs.max_connections_per_account", jobs.max_connections_per_account, 2, 1024);
    keys.names("jobs.host_users", jobs.host_users, 0);

    auto& statistics = config.statistics;
    keys.path("statistics.access_keys", statistics.access_keys);
    keys.path("statistics.nonces", statistics.nonces);
    keys.number("statistics.max_nonces_per_key", statistics.max_nonces_per_key, 1, 1'000'000);

    auto& tokens = config.tokens;
    keys.boolean("tokens.enabled", tokens.enabled);
    keys.number("tokens.max_per_account", tokens.max_per_account, 1, most_tokens_per_account);
    keys.number("tokens.default_days", tokens.default_days, 1, 3650);
    keys.boolean("tokens.suspend_on_password_change", tokens.suspend_on_password_change);
}

Config parse_config(const std::string& text, const std::string& file) {
    ConfigKeys keys(text, file);
    Config config;
    take_config(keys, config);
    keys.refuse_unknown(ConfigKeys::Unknown::SectionsAllowed);
    return config;
}

Config read_config(const std::string& file) {
    return parse_config(read_trusted_file(file), file);
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
