// The part of clamscanner-scan that runs after it has given up root: as jobd's own user it sends jobd the questions
// that only the administrator may ask.
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "auth/base/account.h"
#include "auth/base/command_forms.h"
#include "auth/base/log.h"
#include "jobs/administrator/finds.h"
#include "jobs/administrator/ignored.h"
#include "jobs/administrator/report.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/all_accounts.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto between_looks = 1s;
constexpr auto between_lines = 60s;         // of progress, where nobody watches
constexpr auto patience_with_jobd = 10min;  // that is restarted meanwhile
constexpr const char* one_is_wanted =
    "one of --all, --account, --status, --cancel, --finds, --quarantine, --list-held, --allow and --ignore is wanted";

Settings settings_for_administrator(const std::string& file) {
    auto settings = read_settings(file);
    if (configured_user(settings, "jobs.user", settings.jobs.user).uid != ::geteuid())
        throw Refusal(200, "Only the administrator may do that: clamscanner-scan is for root.");
    return settings;
}

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

std::vector<uid_t> named_accounts(const CommandLine& line, const Settings& settings) {
    auto names = line.operands();
    names.push_back(*line.value("account"));
    std::vector<uid_t> uids;
    for (const auto& name : names) {
        Account account;
        if (!find_account(name, account)) throw UsageError("there is no user " + printable(name));
        if (!is_served(account, settings) || account.uid < settings.login.uid_floor)
            throw UsageError(printable(name) + " is a system user: not served");
        uids.push_back(account.uid);
    }
    return uids;
}

// Empty while jobd does not answer: it may be restarted.
std::optional<SystemScanProgress> look(Jobs& jobs) try {
    return jobs.ask(AskSystemScan{});
} catch (const Refusal& refusal) {
    if (refusal.status() != 503) throw;
    return std::nullopt;
}

// On a terminal one line that changes, elsewhere one each minute.
class Progress {
 public:
    void show(const std::string& text) {
        const auto now = std::chrono::steady_clock::now();
        if (!on_terminal_ && now < not_before_) return;
        not_before_ = now + between_lines;
        shown_ = true;
        std::fprintf(stderr, on_terminal_ ? "\r\x1b[K%s" : "%s\n", text.c_str());
    }
    void end() const {
        if (on_terminal_ && shown_) std::fputc('\n', stderr);
    }

 private:
    const bool on_terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool shown_ = false;
    std::chrono::steady_clock::time_point not_before_;
};

int wait_for_end(Jobs& jobs, bool json) {
    Progress progress;
    std::uint64_t ours = 0;
    auto answered = std::chrono::steady_clock::now();
    for (;;) {
        const auto scan = look(jobs);
        const auto now = std::chrono::steady_clock::now();
        if (!scan && now - answered > patience_with_jobd)
            throw Refusal(503, "clamscanner-jobd does not answer. The scan goes on when it does; --status tells.");
        if (scan) {
            answered = now;
            if (ours == 0) ours = scan->id;
            if (scan->id != ours) throw Refusal(200, "Another scan of all accounts has begun meanwhile.");
            if (scan->ended_ms != 0) {
                progress.end();
                print(json ? scan_json(*scan) : scan_text(*scan));
                return status_of(*scan);
            }
            progress.show(progress_text(*scan));
        }
        std::this_thread::sleep_for(between_looks);
    }
}

int scan(const CommandLine& line, const Settings& settings, Jobs& jobs) {
    const auto accounts = line.has("all") ? all_accounts(settings.login.uid_floor) : named_accounts(line, settings);
    const Asker asker{line.has("scheduled") ? AskedBy::Schedule : AskedBy::Administrator};
    jobs.ask(StartSystemScan::of(accounts, asker));
    if (line.has("wait")) return wait_for_end(jobs, line.has("json"));
    std::printf("A scan of %zu accounts has begun.\n", accounts.size());
    return EX_OK;
}

int show_status(Jobs& jobs, bool json) {
    const auto scan = jobs.ask(AskSystemScan{});
    if (!scan.ever) {
        print(json ? "null\n" : "There was no scan of all accounts yet.\n");
        return EX_OK;
    }
    print(json ? scan_json(scan) : scan_text(scan));
    return EX_OK;
}

int cancel(Jobs& jobs) {
    jobs.ask(CancelSystemScan{});
    std::puts("The scan of all accounts is cancelled.");
    return EX_OK;
}

int list_held(Jobs& jobs, bool json) {
    for (const auto& held : jobs.ask(AskHeldSignatures{}).signatures) print(json ? held_json(held) : held_text(held));
    return EX_OK;
}

int allow(Jobs& jobs, const std::string& signature) {
    jobs.ask(AllowSignature{signature});
    std::printf("Files may be deleted for %s.\n", printable(signature).c_str());
    return EX_OK;
}

// What is asked for; throws UsageError unless it is one thing, with what belongs to it.
std::string verb_of(const CommandLine& line) {
    std::string verb;
    for (const char* one :
         {"all", "account", "status", "cancel", "finds", "quarantine", "list-held", "allow", "ignore"}) {
        if (!line.has(one)) continue;
        if (!verb.empty()) throw UsageError(one_is_wanted);
        verb = one;
    }
    if (verb.empty()) throw UsageError(one_is_wanted);
    const bool scans = verb == "all" || verb == "account";
    for (const char* with : {"wait", "scheduled"})
        if (line.has(with) && !scans) throw UsageError(std::string("--") + with + " goes with --all or --account");
    if (line.has("yes") && verb != "quarantine") throw UsageError("--yes goes with --quarantine");
    const bool adds = verb == "ignore" && line.value("ignore") == "add";
    for (const char* with : {"sha256", "signature", "path", "reason", "expires"})
        if (line.has(with) && !adds) throw UsageError(std::string("--") + with + " goes with --ignore add");
    const bool removes = verb == "ignore" && line.value("ignore") == "remove";
    const auto most = verb == "account" ? std::string::npos : verb == "finds" || removes ? 1 : 0;
    if (line.operands().size() > most) throw UsageError("too much: " + printable(line.operands().at(most)));
    return verb;
}

int run(const CommandLine& line) try {
    refuse_root();
    ::signal(SIGPIPE, SIG_IGN);
    const auto verb = verb_of(line);
    const auto settings = settings_for_administrator(line.config_file());
    const bool json = line.has("json");
    JobsClient jobs(settings.administrator_socket());
    if (verb == "all" || verb == "account") return scan(line, settings, jobs);
    if (verb == "status") return show_status(jobs, json);
    if (verb == "cancel") return cancel(jobs);
    if (verb == "finds") return show_finds(jobs, line.operands().empty() ? "" : line.operands().front(), json);
    if (verb == "quarantine") return quarantine_finds(jobs, *line.value("quarantine"), line.has("yes"), json);
    if (verb == "ignore") return ignore(jobs, line, json);
    return verb == "list-held" ? list_held(jobs, json) : allow(jobs, *line.value("allow"));
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
