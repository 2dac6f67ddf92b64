// clamscanner-scan, the administrator's command. Root runs it, and it becomes jobd's user for good before anything else
// happens: what asks jobd is a program of that user (jobs/administrator/scan_command.cpp).
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "auth/identity/become_user.h"

int main(int argc, char** argv) {
    using namespace clamscanner;
    name_this_program("clamscanner-scan");
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    const auto config_file = take_config_file(words);
    try {
        if (::getuid() != 0 || ::geteuid() != 0) throw ConfigError("only root can use it");
        const auto absolute = std::filesystem::canonical(config_file).string();
        const auto config = read_config(absolute);
        const auto jobd = configured_user("jobs.user", config.jobs.user);
        words.insert(words.begin(), absolute);
        become_for_good(jobd);
        exec_clean(jobd, config.program("clamscanner-scan-command"), words, 3, false);
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "clamscanner-scan: %s\n", fault.what());
        return EX_CONFIG;
    }
}
