// The administrator's commands that only ask the daemons: root runs them, and they become a daemon's user for good
// before anything else happens. The program that does the work runs as that user.
#pragma once

#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "auth/base/command_line.h"
#include "auth/base/config.h"
#include "auth/identity/become_user.h"

namespace clamscanner {

// `program`: the one that reads the command line by the same form. Returns only an exit status of its own: 77.
// `user_of`: whom the configuration names, and under which key.
struct DaemonUser {
    const char* key;
    std::string name;
};
[[nodiscard]] inline int run_as(DaemonUser (*user_of)(const Config& config), const CommandForm& form,
                                const char* program, const CommandLine& line) {
    if (::getuid() != 0 || ::geteuid() != 0) {
        std::fprintf(stderr, "%s: only root can use it\n", form.program);
        return EX_NOPERM;
    }
    const auto config_file = std::filesystem::canonical(line.config_file()).string();
    const auto config = read_config(config_file);
    const auto wanted = user_of(config);
    const auto user = configured_user(config, wanted.key, wanted.name);
    auto words = line.words_without("config");
    words.insert(words.begin(), "--config=" + config_file);
    become_for_good(user);
    exec_clean(user, config.program(program), words, 3, false);
}

[[nodiscard]] inline int run_as_jobd(const CommandForm& form, const char* program, const CommandLine& line) {
    return run_as([](const Config& config) { return DaemonUser{"jobs.user", config.jobs.user}; }, form, program, line);
}

}  // namespace clamscanner
