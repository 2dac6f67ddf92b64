#include "auth/base/check_config.h"

#include <grp.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <system_error>

#include "auth/base/account.h"
#include "auth/base/config_keys.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

using Faults = std::vector<std::string>;

void add_lines(const std::string& text, Faults& faults) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) faults.push_back(line);
}

template <class Check>
void try_out(Check check, Faults& faults) {
    try {
        check();
    } catch (const ConfigError& error) {
        add_lines(error.what(), faults);
    }
}

void check_group(const Config& config) {
    const auto& group = config.responder.socket_group;
    if (!group.empty() && ::getgrnam(group.c_str()) == nullptr)
        throw ConfigError(config.name_of("responder.socket_group") + ": there is no group " + printable(group));
}

Faults faults_of_names(const ConfigKeys& keys, const Config& config) {
    Faults faults;
    std::string engine = "clamscanner-engine";
    keys.take("engine.user", engine);
    try_out([&] { static_cast<void>(responder_uids(config)); }, faults);
    try_out([&] { static_cast<void>(configured_user(config, "jobs.user", config.jobs.user)); }, faults);
    try_out([&] { static_cast<void>(configured_user(config, "engine.user", engine)); }, faults);
    if (config.fleet.is_centre())
        try_out([&] { static_cast<void>(configured_user(config, "fleet.user", config.fleet.user)); }, faults);
    try_out([&] { static_cast<void>(host_users(config)); }, faults);
    try_out([&] { check_group(config); }, faults);
    if (auto missing = missing_pam_service(config); !missing.empty()) faults.push_back(std::move(missing));
    return faults;
}

}  // namespace

Faults config_faults(const std::string& file) {
    Faults faults;
    try_out(
        [&] {
            const ConfigKeys keys(read_config_files(file));
            Config config;
            take_config(keys, file, config);
            faults = faults_of_names(keys, config);
        },
        faults);
    return faults;
}

int check_config(const char* program, const std::string& file) try {
    const auto faults = config_faults(file);
    for (const auto& fault : faults) std::fprintf(stderr, "%s: %s\n", program, fault.c_str());
    if (faults.empty()) std::printf("%s: no fault found\n", file.c_str());
    return faults.empty() ? EX_OK : EX_CONFIG;
} catch (const std::system_error& fault) {
    std::fprintf(stderr, "%s: %s\n", program, fault.what());
    return EX_NOINPUT;
}

}  // namespace clamscanner
