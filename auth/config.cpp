#include "auth/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "auth/checked.h"
#include "auth/unique_fd.h"

#if !defined(CLAMSCANNER_PROGRAM_DIRECTORY) || !defined(CLAMSCANNER_SIGNATURE_DIRECTORY)
#error "the build must say where programs and embedded signatures are installed"
#endif

namespace clamscanner {
namespace {

// A page of keys, so that a comparison of what the file has with what we know needs no second list.
class Keys {
 public:
    using Take = std::function<void(const std::string& key, const toml::node& value)>;

    explicit Keys(std::string file) : file_(std::move(file)) {}

    [[noreturn]] void refuse(const toml::node& at, const std::string& key, const std::string& wrong) const {
        throw ConfigError(file_ + ", line " + std::to_string(at.source().begin.line) + ": " + key + ": " + wrong);
    }

    void number(const char* key, std::uint64_t& value, std::uint64_t least, std::uint64_t most) {
        takers_[key] = [this, &value, least, most](const std::string& name, const toml::node& node) {
            const auto given = node.value_exact<std::int64_t>();
            if (!given || *given < 0 || static_cast<std::uint64_t>(*given) < least ||
                static_cast<std::uint64_t>(*given) > most)
                refuse(node, name,
                       "wants a whole number from " + std::to_string(least) + " to " + std::to_string(most));
            value = static_cast<std::uint64_t>(*given);
        };
    }
    void truth(const char* key, bool& value) {
        takers_[key] = [this, &value](const std::string& name, const toml::node& node) {
            const auto given = node.value_exact<bool>();
            if (!given) refuse(node, name, "wants true or false");
            value = *given;
        };
    }
    void text(const char* key, std::string& value) {
        takers_[key] = [this, &value](const std::string& name, const toml::node& node) { value = text_of(name, node); };
    }
    void path(const char* key, std::string& value) {
        takers_[key] = [this, &value](const std::string& name, const toml::node& node) {
            auto given = text_of(name, node);
            if (!given.starts_with('/')) refuse(node, name, "wants an absolute path");
            value = std::move(given);
        };
    }
    void names(const char* key, std::vector<std::string>& value) {
        takers_[key] = [this, &value](const std::string& name, const toml::node& node) {
            const auto* list = node.as_array();
            if (list == nullptr || list->empty()) refuse(node, name, "wants a list of at least one name");
            value.clear();
            for (const auto& item : *list) value.push_back(text_of(name, item));
        };
    }
    // A directory below the home, or false.
    void scan_directory(const char* key, ScanDirectory& value) {
        takers_[key] = [this, &value](const std::string& name, const toml::node& node) {
            if (const auto truth = node.value_exact<bool>(); truth && !*truth) {
                value.allowed = false;
                return;
            }
            const auto given = node.value_exact<std::string>();
            const std::string wanted = "wants a directory below the home (no leading slash, no . or ..), or false";
            if (!given || given->starts_with('/') || given->ends_with('/') || given->find('\0') != std::string::npos)
                refuse(node, name, wanted);
            std::istringstream parts(*given);
            for (std::string part; std::getline(parts, part, '/');)
                if (part.empty() || part == "." || part == "..") refuse(node, name, wanted);
            value = {true, *given};
        };
    }

    void read(const toml::table& root) const {
        for (const auto& [section, content] : root) {
            const std::string section_name(section.str());
            const auto* table = content.as_table();
            const bool known = std::any_of(takers_.begin(), takers_.end(), [&](const auto& taker) {
                return taker.first.starts_with(section_name + ".");
            });
            if (table == nullptr || !known) refuse(content, section_name, "is not known here");
            for (const auto& [key, value] : *table) {
                const std::string name = section_name + "." + std::string(key.str());
                const auto taker = takers_.find(name);
                if (taker == takers_.end()) refuse(value, name, "is not known here");
                taker->second(name, value);
            }
        }
    }

    [[nodiscard]] std::vector<std::string> known() const {
        std::vector<std::string> names;
        for (const auto& taker : takers_) names.push_back(taker.first);
        return names;
    }

 private:
    [[nodiscard]] std::string text_of(const std::string& name, const toml::node& node) const {
        auto given = node.value_exact<std::string>();
        if (!given || given->find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
            refuse(node, name, "wants a text of one line");
        return *given;
    }
    std::string file_;
    std::map<std::string, Take> takers_;
};

constexpr std::uint64_t day = 86'400;
constexpr std::uint64_t gibibyte = 1024ULL * 1024 * 1024;

void declare(Keys& keys, Config& config) {
    keys.path("paths.run_directory", config.paths.run_directory);
    keys.path("paths.state_directory", config.paths.state_directory);
    keys.path("paths.program_directory", config.paths.program_directory);
    keys.path("paths.signature_directory", config.paths.signature_directory);
    keys.path("paths.embedded_signature_directory", config.paths.embedded_signature_directory);

    auto& responder = config.responder;
    keys.names("responder.users", responder.users);
    keys.truth("responder.allow_shared_web_user", responder.allow_shared_web_user);
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
    keys.number("jobs.stall_seconds", jobs.stall_seconds, 1, 3600);
    keys.number("jobs.abandon_seconds", jobs.abandon_seconds, 1, day);
    keys.number("jobs.retry_seconds", jobs.retry_seconds, 1, day);
    keys.number("jobs.max_connections_per_account", jobs.max_connections_per_account, 2, 1024);

    auto& engine = config.engine;
    keys.text("engine.user", engine.user);
    keys.number("engine.scan_workers", engine.scan_workers, 0, 256);
    keys.number("engine.idle_minutes", engine.idle_minutes, 0, 525'600);
    keys.number("engine.max_scan_bytes", engine.max_scan_bytes, 1024, 4 * gibibyte - 1);
    keys.number("engine.max_file_bytes", engine.max_file_bytes, 1024, 2 * gibibyte - 1);
    keys.number("engine.max_recursion", engine.max_recursion, 1, 100);
    keys.number("engine.max_files", engine.max_files, 1, 10'000'000);
    keys.number("engine.max_scan_seconds", engine.max_scan_seconds, 1, day);
    keys.number("engine.pcre_match_limit", engine.pcre_match_limit, 1, UINT32_MAX);
    keys.number("engine.pcre_recursion_limit", engine.pcre_recursion_limit, 1, UINT32_MAX);

    static constexpr const char* scan_keys[scan_type_count] = {"scan.home", "scan.mail", "scan.public_html",
                                                               "scan.public_ftp"};
    for (std::size_t i = 0; i < scan_type_count; ++i) keys.scan_directory(scan_keys[i], config.scan[i]);
}

}  // namespace

Config parse_config(const std::string& text, const std::string& file) {
    Config config;
    config.paths.program_directory = CLAMSCANNER_PROGRAM_DIRECTORY;
    config.paths.embedded_signature_directory = CLAMSCANNER_SIGNATURE_DIRECTORY;
    try {
        const toml::table root = toml::parse(text);
        Keys keys(file);
        declare(keys, config);
        keys.read(root);
    } catch (const toml::parse_error& error) {
        throw ConfigError(file + ", line " + std::to_string(error.source().begin.line) + ": " +
                          std::string(error.description()));
    }
    return config;
}

std::vector<std::string> config_keys() {
    Config config;
    Keys keys("");
    declare(keys, config);
    return keys.known();
}

Config read_config(const std::string& file) {
    const UniqueFd fd(
        checked(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY), ("open the configuration " + file).c_str()));
    struct stat status {};
    checked(::fstat(fd.get(), &status), "examine the configuration");
    if (!S_ISREG(status.st_mode)) throw ConfigError(file + " is not a regular file");
    if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw ConfigError(file + " must belong to root and be writable by nobody else");
    std::string text;
    char chunk[16 * 1024];
    for (;;) {
        const auto got =
            checked(uninterrupted([&] { return ::read(fd.get(), chunk, sizeof chunk); }), "read the configuration");
        if (got == 0) break;
        text.append(chunk, static_cast<std::size_t>(got));
        if (text.size() > 1024 * 1024) throw ConfigError(file + " is larger than 1 MiB");
    }
    return parse_config(text, file);
}

}  // namespace clamscanner
