// clamscanner-scan, the administrator's command. Root runs it, and it becomes jobd's user for good before anything else
// happens: the program that asks jobd runs as that user (jobs/administrator/scan_command.cpp).
#include <sysexits.h>
#include <unistd.h>

#include <filesystem>

#include "auth/base/command_forms.h"
#include "auth/base/config.h"
#include "auth/identity/become_user.h"

namespace clamscanner {
namespace {

int run(const CommandLine& line) {
    if (::getuid() != 0 || ::geteuid() != 0) throw ConfigError("only root can use it");
    const auto config_file = std::filesystem::canonical(line.config_file()).string();
    const auto config = read_config(config_file);
    const auto jobd = configured_user("jobs.user", config.jobs.user);
    auto words = line.words_without("config");
    words.insert(words.begin(), "--config=" + config_file);
    become_for_good(jobd);
    exec_clean(jobd, config.program("clamscanner-scan-command"), words, 3, false);
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(scan_form, argc, argv, EX_CONFIG, run);
}
