// What clamscanner-scan does once it is no longer root: as jobd's own user it asks jobd for what only the administrator
// may have. ARGUMENTS: the configuration file, then the administrator's words.
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "auth/base/account.h"
#include "auth/base/log.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/all_accounts.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

constexpr const char* usage =
    "usage: clamscanner-scan [--config FILE] --all | --list-held | --allow SIGNATURE\n"
    "\n"
    "  --all              have the homes of all accounts scanned, beside the scans that the accounts start\n"
    "  --list-held        the signatures that hit so much that nothing is deleted for them\n"
    "  --allow SIGNATURE  lets files be deleted for it all the same\n";

Settings settings_for_administrator(const std::string& file) {
    auto settings = read_settings(file);
    if (configured_user("jobs.user", settings.jobs.user).uid != ::geteuid())
        throw Refusal(200, "Only the administrator may do that: clamscanner-scan is for root.");
    return settings;
}

int scan_all(const Settings& settings) {
    const auto accounts = all_accounts(settings.login.uid_floor);
    JobsClient(settings.administrator_socket()).ask(StartSystemScan::of(accounts));
    std::printf("A scan of %zu accounts has begun.\n", accounts.size());
    return EX_OK;
}

int list_held(const Settings& settings) {
    for (const auto& held : JobsClient(settings.administrator_socket()).ask(AskHeldSignatures{}).signatures) {
        const std::time_t since = held.since_ms / 1000;
        char when[32] = "";
        std::strftime(when, sizeof when, "%F %T", std::localtime(&since));
        std::printf("%s\t%s\t%s\t%s\n", printable(held.signature).c_str(), held.allowed ? "allowed" : "held", when,
                    printable(held.why).c_str());
    }
    return EX_OK;
}

int allow(const Settings& settings, const std::string& signature) {
    JobsClient(settings.administrator_socket()).ask(AllowSignature{signature});
    std::printf("Files may be deleted for %s.\n", printable(signature).c_str());
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
        if (words.size() == 2 && words[1] == "--all") return scan_all(settings_for_administrator(words[0]));
        if (words.size() == 2 && words[1] == "--list-held") return list_held(settings_for_administrator(words[0]));
        if (words.size() == 3 && words[1] == "--allow") return allow(settings_for_administrator(words[0]), words[2]);
        std::fputs(usage, stderr);
        return EX_USAGE;
    } catch (const Refusal& refusal) {
        std::fprintf(stderr, "clamscanner-scan: %s\n", refusal.what());
        return EX_TEMPFAIL;
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "clamscanner-scan: %s\n", fault.what());
        return EX_CONFIG;
    }
}
