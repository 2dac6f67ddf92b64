// The part of clamscanner-scan that runs after it has given up root: as jobd's own user it sends jobd the questions
// that only the administrator may ask.
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "auth/base/account.h"
#include "auth/base/command_forms.h"
#include "auth/base/log.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/all_accounts.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

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

std::string time_text(std::int64_t ms) {
    const std::time_t seconds = ms / 1000;
    char text[32] = "";
    std::strftime(text, sizeof text, "%F %T", std::localtime(&seconds));
    return text;
}

int show_status(const Settings& settings) {
    const auto scan = JobsClient(settings.administrator_socket()).ask(AskSystemScan{});
    if (!scan.ever) {
        std::puts("There was no scan of all accounts yet.");
        return EX_OK;
    }
    std::printf("started\t%s\n", time_text(scan.started_ms).c_str());
    std::printf("ended\t%s\n", scan.ended_ms == 0 ? "no" : time_text(scan.ended_ms).c_str());
    const std::pair<const char*, std::uint64_t> numbers[] = {
        {"accounts", scan.accounts},
        {"waiting", scan.waiting},
        {"running", scan.running},
        {"done", scan.ended},
        {"not completed", scan.not_completed},
        {"left out", scan.left_out},
        {"files", scan.total_files},
        {"files scanned", scan.scanned_files},
        {"infected", scan.infected_files},
        {"not scanned", scan.unscanned_files},
    };
    for (const auto& [name, number] : numbers) std::printf("%s\t%llu\n", name, static_cast<unsigned long long>(number));
    return EX_OK;
}

int list_held(const Settings& settings) {
    for (const auto& held : JobsClient(settings.administrator_socket()).ask(AskHeldSignatures{}).signatures) {
        std::printf("%s\t%s\t%s\t%s\n", printable(held.signature).c_str(), held.allowed ? "allowed" : "held",
                    time_text(held.since_ms).c_str(), printable(held.why).c_str());
    }
    return EX_OK;
}

int allow(const Settings& settings, const std::string& signature) {
    JobsClient(settings.administrator_socket()).ask(AllowSignature{signature});
    std::printf("Files may be deleted for %s.\n", printable(signature).c_str());
    return EX_OK;
}

int run(const CommandLine& line) try {
    refuse_root();
    ::signal(SIGPIPE, SIG_IGN);
    const auto signature = line.value("allow");
    if (line.has("all") + line.has("status") + line.has("list-held") + signature.has_value() != 1)
        throw UsageError("one of --all, --status, --list-held and --allow is wanted");
    const auto settings = settings_for_administrator(line.config_file());
    if (signature) return allow(settings, *signature);
    if (line.has("status")) return show_status(settings);
    return line.has("all") ? scan_all(settings) : list_held(settings);
} catch (const Refusal& refusal) {
    std::fprintf(stderr, "clamscanner-scan: %s\n", refusal.what());
    return EX_TEMPFAIL;
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(scan_form, argc, argv, EX_CONFIG, run);
}
