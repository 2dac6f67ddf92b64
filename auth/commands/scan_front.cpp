// clamscanner-scan, the administrator's command for scans of all accounts (jobs/administrator/scan_command.cpp).
#include "auth/base/command_forms.h"
#include "auth/commands/administrator_front.h"

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(scan_form, argc, argv, EX_CONFIG, [](const CommandLine& line) {
        return run_as_jobd(scan_form, "clamscanner-scan-command", line);
    });
}
