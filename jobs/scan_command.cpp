// What clamscanner-scan does once it is no longer root: as jobd's own user it asks jobd for what only the administrator
// may have. ARGUMENTS: the configuration file, then the administrator's words.
#include <signal.h>
#include <sysexits.h>

#include <cstdio>
#include <string>
#include <vector>

#include "auth/log.h"
#include "handlers/jobs_client.h"
#include "handlers/refusal.h"
#include "jobs/all_accounts.h"
#include "jobs/settings.h"
#include "jobs/unprivileged.h"

namespace clamscanner {
namespace {

constexpr const char* usage =
    "usage: clamscanner-scan [--config FILE] --all\n"
    "\n"
    "  --all   have the homes of all accounts scanned, one after the other, beside the scans that the accounts start\n";

int scan_all(const Settings& settings) {
    const auto accounts = all_accounts(settings.login.uid_floor);
    JobsClient(settings.jobs_socket()).start_system_scan(accounts);
    std::printf("A scan of %zu accounts has begun.\n", accounts.size());
    return EX_OK;
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    name_this_program("clamscanner-scan");
    const std::vector<std::string> words(argv + 1, argv + argc);
    try {
        refuse_root();
        ::signal(SIGPIPE, SIG_IGN);
        if (words.size() != 2 || words[1] != "--all") {
            std::fputs(usage, stderr);
            return EX_USAGE;
        }
        return scan_all(read_settings(words[0]));
    } catch (const Refusal& refusal) {
        std::fprintf(stderr, "clamscanner-scan: %s\n", refusal.what());
        return EX_TEMPFAIL;
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "clamscanner-scan: %s\n", fault.what());
        return EX_CONFIG;
    }
}
