#include "jobs/administrator/health.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string_view>

#include "auth/base/command_line.h"
#include "auth/base/log.h"
#include "jobs/administrator/checks.h"
#include "jobs/administrator/report.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr std::uint64_t too_little_room = 256 * mebibyte;
constexpr std::int64_t day = 86'400;

void add_figures(const std::string& file, std::map<std::string, std::uint64_t>& figures) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        const auto space = line.rfind(' ');
        if (space == std::string::npos) continue;
        std::uint64_t value = 0;
        if (std::istringstream(line.substr(space + 1)) >> value) figures[line.substr(0, space)] = value;
    }
}

std::optional<ServiceReport> ask(Jobs& jobs) try { return jobs.ask(AskService{}); } catch (const Refusal&) {
    return std::nullopt;
}

void judge_daemons(Health& health) {
    for (const auto& daemon : health.daemons) {
        if (daemon.listens) continue;
        const bool is_responder = daemon.program == "clamscanner.fcgi";
        health.problems.push_back({Severeness::Critical, daemon.program + " does not run",
                                   std::string("systemctl enable --now ") +
                                       (is_responder ? "clamscanner-fcgi.socket" : daemon.program) +
                                       "; journalctl -u says why it ended"});
    }
    if (!health.jobd && health.daemons.at(2).listens)
        health.problems.push_back({Severeness::Unknown, "clamscanner-jobd does not answer",
                                   "journalctl -u clamscanner-jobd says what it is at"});
}

void judge_signatures(const Settings& settings, Health& health) {
    const auto& directory = settings.paths.signature_directory;
    const auto listing = listing_of(directory);
    if (!listing.problem.empty())
        health.problems.push_back({Severeness::Critical, listing.problem, "let the user engine.user read it"});
    else if (!holds_signatures(directory))
        health.problems.push_back({Severeness::Critical, "there is no signature database in " + directory,
                                   "apt install clamav-freshclam, and wait for its first download"});
    if (auto old = age_warning(directory, std::time(nullptr)); !old.empty())
        health.problems.push_back({Severeness::Warning, std::move(old), "systemctl restart clamav-freshclam"});
    if (health.figure("clamscanner_signatures_broken") != 0)
        health.problems.push_back({Severeness::Warning, "signatures could not be loaded",
                                   "journalctl -u clamscanner-engine names the file: remove it, or get it anew"});
}

void judge_rest(const Settings& settings, Health& health) {
    if (health.free_bytes < too_little_room)
        health.problems.push_back({Severeness::Critical,
                                   "only " + std::to_string(health.free_bytes / mebibyte) + " MiB are free for " +
                                       settings.paths.state_directory,
                                   "make room: when there is none, clamscanner-jobd stops until there is"});
    if (health.jobd && health.jobd->held_signatures > 0)
        health.problems.push_back(
            {Severeness::Warning,
             std::to_string(health.jobd->held_signatures) + " signatures hit so much that nothing is deleted for them",
             "clamscanner-scan --list-held shows them, --allow SIGNATURE permits it"});
}

const char* word_of(Severeness severeness) {
    static constexpr const char* words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    return words[static_cast<int>(severeness)];
}

// For monitoring, which shows one line.
std::string verdict_line(const Health& health) {
    std::string line = word_of(health.worst());
    line += ": ";
    if (health.problems.empty()) return line + "all is well\n";
    line += health.problems.front().what;
    if (health.problems.size() > 1) line += " (and " + std::to_string(health.problems.size() - 1) + " more)";
    return line + "\n";
}

std::string age_of(const DatabaseVersion& version) {
    return std::to_string((std::time(nullptr) - version.built) / day) + " days old";
}

std::string row(const char* name, const std::string& value) {
    constexpr std::size_t width = 14;
    const std::string label(name);
    return label + std::string(width > label.size() ? width - label.size() : 1, ' ') + value + "\n";
}

std::string jobs_text(const ServiceReport& report) {
    std::string text =
        row("jobs", std::to_string(report.running.size()) + " running, " + std::to_string(report.waiting) +
                        " waiting, the longest for " + std::to_string(report.longest_wait_seconds) + " s");
    for (const auto& job : report.running)
        text += row("", std::string(name_of(job.what)) + " of " + printable(job.account) + ": " +
                            std::to_string(job.done_files) + " of " + std::to_string(job.all_files) + " files, " +
                            std::to_string(job.seconds) + " s");
    for (const auto& failure : report.failures)
        text += row("ended early", time_text(failure.ended_ms) + " " + name_of(failure.what) + " of " +
                                       printable(failure.account) + ": " + printable(failure.why));
    text += row("held", std::to_string(report.held_signatures) + " signatures");
    text += row("quarantine", std::to_string(report.quarantined_files) + " files, " +
                                  std::to_string(report.quarantined_bytes / mebibyte) + " MiB");
    return text + row("database", std::to_string(report.database_bytes / mebibyte) + " MiB");
}

}  // namespace

Severeness Health::worst() const {
    return problems.empty() ? Severeness::Fine : problems.front().severeness;
}

std::uint64_t Health::figure(const std::string& sample) const {
    const auto found = figures.find(sample);
    return found == figures.end() ? 0 : found->second;
}

bool somebody_listens(const std::string& path) {
    // Num RefCount Protocol Flags Type St Inode Path; of a socket that listens the flags are 00010000.
    std::ifstream sockets("/proc/net/unix");
    for (std::string line; std::getline(sockets, line);)
        if (line.ends_with(" " + path) && line.find(" 00010000 ") != std::string::npos) return true;
    return false;
}

Health look_at(const Settings& settings, Jobs& jobs, bool check) {
    Health health;
    health.daemons = {{"clamscanner-authd", somebody_listens(settings.login_socket())},
                      {"clamscanner-engine", somebody_listens(settings.engine_socket())},
                      {"clamscanner-jobd", somebody_listens(settings.jobs_socket())},
                      {"clamscanner.fcgi", somebody_listens(settings.responder.socket)}};
    if (health.daemons.at(2).listens) health.jobd = ask(jobs);
    health.signatures = newest_database(settings.paths.signature_directory);
    for (const char* daemon : {"authd", "engine", "jobd"}) add_figures(settings.figures_file(daemon), health.figures);
    struct statvfs disk {};
    if (::statvfs(settings.paths.state_directory.c_str(), &disk) == 0)
        health.free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    judge_daemons(health);
    judge_signatures(settings, health);
    judge_rest(settings, health);
    if (check) std::ranges::move(installation_problems(settings), std::back_inserter(health.problems));
    std::ranges::stable_sort(health.problems, std::greater<>(), [](const Problem& problem) {
        // What is known to be broken comes before what is not known.
        return problem.severeness == Severeness::Unknown ? 3 : 2 * static_cast<int>(problem.severeness);
    });
    return health;
}

std::string health_text(const Health& health, const Settings& settings) {
    std::string text = verdict_line(health);
    for (const auto& problem : health.problems)
        text +=
            std::string("  ") + word_of(problem.severeness) + ": " + problem.what + "\n      " + problem.advice + "\n";
    text += "\n";
    for (const auto& daemon : health.daemons)
        text += row("daemon", daemon.program + (daemon.listens ? " runs" : " does not run"));
    const auto loaded = health.figure("clamscanner_signatures_loaded");
    text += row("signatures", health.signatures
                                  ? health.signatures->name + ", version " +
                                        std::to_string(health.signatures->version) + ", " + age_of(*health.signatures)
                                  : "none of ClamAV's in " + settings.paths.signature_directory);
    text += row(
        "", loaded == 0
                ? "not loaded: nobody has scanned for a while"
                : std::to_string(loaded) + " loaded since " +
                      time_text(static_cast<std::int64_t>(health.figure("clamscanner_signatures_loaded_time_seconds")) *
                                1000));
    if (health.jobd) text += jobs_text(*health.jobd);
    return text +
           row("free", std::to_string(health.free_bytes / mebibyte) + " MiB for " + settings.paths.state_directory);
}

std::string health_json(const Health& health) {
    return json_object([&](JsonWriter& json) {
               json.member("state", word_of(health.worst()));
               json.objects("problems", health.problems, [&](const Problem& problem) {
                   json.member("state", word_of(problem.severeness));
                   json.member("what", problem.what);
                   json.member("advice", problem.advice);
               });
               json.object("daemons", [&] {
                   for (const auto& daemon : health.daemons) json.member(daemon.program, daemon.listens);
               });
               json.object("signatures", [&] {
                   json.member("loaded", health.figure("clamscanner_signatures_loaded"));
                   json.member("loaded_time", health.figure("clamscanner_signatures_loaded_time_seconds"));
                   if (!health.signatures) return;
                   json.member("newest", health.signatures->name);
                   json.member("version", health.signatures->version);
                   json.member("built", health.signatures->built);
               });
               json.member("free_bytes", health.free_bytes);
               if (!health.jobd) return;
               const auto& jobd = *health.jobd;
               json.objects("running", jobd.running, [&](const ServiceReport::Job& job) {
                   json.member("account", job.account);
                   json.member("action", name_of(job.what));
                   json.member("files_done", job.done_files);
                   json.member("files", job.all_files);
                   json.member("seconds", job.seconds);
               });
               json.member("waiting", jobd.waiting);
               json.member("longest_wait_seconds", jobd.longest_wait_seconds);
               json.objects("ended_early", jobd.failures, [&](const ServiceReport::Failure& failure) {
                   json.member("account", failure.account);
                   json.member("action", name_of(failure.what));
                   json.member("time", failure.ended_ms / 1000);
                   json.member("why", failure.why);
               });
               json.member("held_signatures", jobd.held_signatures);
               json.member("database_bytes", jobd.database_bytes);
               json.member("quarantined_files", jobd.quarantined_files);
               json.member("quarantined_bytes", jobd.quarantined_bytes);
           }) +
           "\n";
}

namespace {

struct Family {
    std::string_view name;  // of a counter without _total
    std::string_view type;
    std::string_view help;
};

constexpr Family families[] = {
    {"clamscanner_agents", "gauge", "Agents, one process for each account that uses the service."},
    {"clamscanner_daemon_up", "gauge", "Whether the daemon listens at its socket."},
    {"clamscanner_database_bytes", "gauge", "The size of jobd's database."},
    {"clamscanner_disinfected_files", "counter", "Files of disinfections and restorations, by what became of them."},
    {"clamscanner_engine_jobs", "gauge", "Jobs that the engine works for."},
    {"clamscanner_engine_loads", "counter", "Times that the signatures were loaded."},
    {"clamscanner_free_bytes", "gauge", "Room on the file system of jobd's database."},
    {"clamscanner_held_signatures", "gauge", "Signatures for which nothing is deleted."},
    {"clamscanner_infected_files", "counter", "Files found infected."},
    {"clamscanner_jobs", "counter", "Jobs that have ended."},
    {"clamscanner_jobs_running", "gauge", "Jobs that run."},
    {"clamscanner_jobs_waiting", "gauge", "Jobs that wait for their turn."},
    {"clamscanner_logins", "counter", "Logins, by how and with what result."},
    {"clamscanner_longest_wait_seconds", "gauge", "For how long the first of the waiting jobs has waited."},
    {"clamscanner_penalties", "counter", "Penalties that began because of wrong passwords."},
    {"clamscanner_quarantined_bytes", "gauge", "Bytes in all quarantines."},
    {"clamscanner_quarantined_files", "gauge", "Files in all quarantines."},
    {"clamscanner_scanned_bytes", "counter", "Bytes of files that scans dealt with."},
    {"clamscanner_scanned_files", "counter", "Files that scans dealt with."},
    {"clamscanner_signature_age_seconds", "gauge", "The age of ClamAV's newest database."},
    {"clamscanner_signatures_broken", "gauge", "Whether signatures could not be loaded."},
    {"clamscanner_signatures_loaded", "gauge", "Signatures in memory; 0 while nobody scans."},
    {"clamscanner_signatures_loaded_time_seconds", "gauge", "When they were loaded."},
    {"clamscanner_start_time_seconds", "gauge", "When the daemon was started."},
    {"clamscanner_unscanned_files", "counter", "Files that could not be scanned, by reason."},
    {"clamscanner_workers_replaced", "counter", "Workers that were killed or died in the middle of a scan."},
};

std::string_view family_of(std::string_view sample) {
    auto name = sample.substr(0, sample.find('{'));
    constexpr std::string_view total = "_total";
    if (name.ends_with(total)) name.remove_suffix(total.size());
    return name;
}

}  // namespace

std::string metrics(const Health& health) {
    auto samples = health.figures;
    for (const auto& daemon : health.daemons)
        samples["clamscanner_daemon_up{daemon=\"" + daemon.program + "\"}"] = daemon.listens ? 1 : 0;
    samples["clamscanner_free_bytes"] = health.free_bytes;
    if (health.signatures)
        samples["clamscanner_signature_age_seconds"] =
            static_cast<std::uint64_t>(std::max<std::int64_t>(std::time(nullptr) - health.signatures->built, 0));
    if (health.jobd) {
        samples["clamscanner_held_signatures"] = health.jobd->held_signatures;
        samples["clamscanner_database_bytes"] = health.jobd->database_bytes;
        samples["clamscanner_quarantined_files"] = health.jobd->quarantined_files;
        samples["clamscanner_quarantined_bytes"] = health.jobd->quarantined_bytes;
    }
    std::string text;
    for (const auto& family : families) {
        std::string lines;
        for (const auto& [sample, value] : samples)
            if (family_of(sample) == family.name) lines += sample + " " + std::to_string(value) + "\n";
        if (lines.empty()) continue;
        const std::string name(family.name);
        text += "# TYPE " + name + " " + std::string(family.type) + "\n# HELP " + name + " " +
                std::string(family.help) + "\n" + lines;
    }
    return text + "# EOF\n";
}

}  // namespace clamscanner
