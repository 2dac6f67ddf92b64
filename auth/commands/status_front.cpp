// clamscanner-status, the administrator's look at the service (jobs/administrator/status_command.cpp).
#include "auth/base/command_forms.h"
#include "auth/commands/administrator_front.h"

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(status_form, argc, argv, EX_CONFIG, [](const CommandLine& line) {
        return run_as_jobd(status_form, "clamscanner-status-command", line);
    });
}
