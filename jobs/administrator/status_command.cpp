// The part of clamscanner-status that runs after it has given up root, as jobd's own user.
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>

#include "auth/base/account.h"
#include "auth/base/command_forms.h"
#include "jobs/administrator/health.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

int run(const CommandLine& line) {
    refuse_root();
    ::signal(SIGPIPE, SIG_IGN);
    if (line.has("check") + line.has("json") + line.has("metrics") > 1 && line.has("metrics"))
        throw UsageError("--metrics goes with nothing else");
    const auto settings = read_settings(line.config_file());
    require_to_run_as(settings, "jobs.user", {settings.jobs.user});
    JobsClient jobs(settings.administrator_socket());
    const auto health = look_at(settings, jobs, line.has("check"));
    const auto text = line.has("metrics") ? metrics(health)
                      : line.has("json")  ? health_json(health)
                                          : health_text(health, settings);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) return EX_IOERR;
    return line.has("metrics") ? EX_OK : static_cast<int>(health.worst());
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(status_form, argc, argv, EX_CONFIG, run);
}
