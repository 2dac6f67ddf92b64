// clamscanner-fleet, the administrator's command at the centre of many machines (jobs/fleet/fleet_command.cpp).
#include "auth/base/command_forms.h"
#include "auth/commands/administrator_front.h"

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(fleet_form, argc, argv, EX_CONFIG, [](const CommandLine& line) {
        return run_as(
            [](const Config& config) {
                return DaemonUser{"fleet.user", config.fleet.user};
            },
            fleet_form, "clamscanner-fleet-command", line);
    });
}
