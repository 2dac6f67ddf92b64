#include "jobs/administrator/report.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "auth/base/log.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

std::uint64_t seconds_of(const SystemScanProgress& scan) {
    const auto until = scan.ended_ms != 0 ? scan.ended_ms : std::int64_t{std::time(nullptr)} * 1000;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(until - scan.started_ms, 0) / 1000);
}

using Numbers = std::vector<std::pair<const char*, std::uint64_t>>;

Numbers numbers_of(const SystemScanProgress& scan) {
    return {{"accounts", scan.accounts},
            {"waiting", scan.waiting},
            {"running", scan.running},
            {"done", scan.ended},
            {"not completed", scan.not_completed},
            {"left out", scan.left_out},
            {"files", scan.total_files},
            {"files scanned", scan.scanned_files},
            {"infected", scan.infected_files},
            {"ignored", scan.ignored_files},
            {"not scanned", scan.unscanned_files}};
}

std::string key_of(std::string name) {
    std::ranges::replace(name, ' ', '_');
    return name;
}

}  // namespace

std::string time_text(std::int64_t ms) {
    const std::time_t seconds = ms / 1000;
    char text[32] = "";
    std::strftime(text, sizeof text, "%F %T", std::localtime(&seconds));
    return text;
}

std::string scan_text(const SystemScanProgress& scan) {
    std::string text = "started\t" + time_text(scan.started_ms) + "\n";
    text += "ended\t" + (scan.ended_ms == 0 ? "no" : time_text(scan.ended_ms)) + "\n";
    if (scan.cancelled) text += "cancelled\tyes\n";
    for (const auto& [name, number] : numbers_of(scan))
        text += std::string(name) + "\t" + std::to_string(number) + "\n";
    for (const auto& [reason, files] : scan.by_reason)
        text += std::string("not scanned: ") + name_of(reason) + "\t" + std::to_string(files) + "\n";
    return text + "seconds\t" + std::to_string(seconds_of(scan)) + "\n";
}

std::string scan_json(const SystemScanProgress& scan) {
    return json_object([&](JsonWriter& json) {
               json.member("started", static_cast<std::uint64_t>(scan.started_ms / 1000));
               json.key("ended");
               scan.ended_ms == 0 ? json.null() : json.number(static_cast<std::uint64_t>(scan.ended_ms / 1000));
               json.member("cancelled", scan.cancelled);
               for (const auto& [name, number] : numbers_of(scan)) json.member(key_of(name), number);
               json.key("not_scanned_by_reason");
               json.begin_object();
               for (const auto& [reason, files] : scan.by_reason) json.member(key_of(name_of(reason)), files);
               json.end_object();
               json.member("seconds", seconds_of(scan));
           }) +
           "\n";
}

std::string progress_text(const SystemScanProgress& scan) {
    return std::to_string(scan.ended + scan.left_out) + " of " + std::to_string(scan.accounts) + " accounts, " +
           std::to_string(scan.scanned_files) + " files, " + std::to_string(scan.infected_files) + " infected, " +
           std::to_string(seconds_of(scan)) + " s";
}

int status_of(const SystemScanProgress& scan) noexcept {
    if (scan.infected_files > 0) return 1;
    return scan.not_completed > 0 || scan.left_out > 0 || scan.cancelled ? 2 : 0;
}

std::string find_text(const FindOfAccount& find) {
    return printable(find.virus) + "\t" + printable(find.name) + "\t" + printable(find.path) + "\n";
}

std::string find_json(const FindOfAccount& find) {
    return json_object([&](JsonWriter& json) {
               json.member("account", find.name);
               json.member("changed", seconds_text(find.facts.changed_ms));
               json.member("file", find.path);
               json.member("first_found", seconds_text(find.facts.first_ms));
               json.member("size", size_text(find.facts));
               json.member("time", seconds_text(find.facts.found_ms));
               json.member("virus_type", find.virus);
           }) +
           "\n";
}

std::string held_text(const HeldSignature& held) {
    return printable(held.signature) + "\t" + (held.allowed ? "allowed" : "held") + "\t" + time_text(held.since_ms) +
           "\t" + printable(held.why) + "\n";
}

std::string held_json(const HeldSignature& held) {
    return json_object([&](JsonWriter& json) {
               json.member("signature", held.signature);
               json.member("state", held.allowed ? "allowed" : "held");
               json.member("since", static_cast<std::uint64_t>(held.since_ms / 1000));
               json.member("why", held.why);
           }) +
           "\n";
}

std::string task_text(const std::string& account, const TaskReport& task) {
    std::string text = printable(account) + "\t" + (task.known ? name_of(task.entry.phase) : "unknown");
    for (const auto& [state, files] : task.entry.steps) text += "\t" + std::to_string(files) + " " + name_of(state);
    if (!task.entry.why.empty()) text += "\t" + printable(task.entry.why);
    return text + "\n";
}

std::string task_json(const std::string& account, const TaskReport& task) {
    return json_object([&](JsonWriter& json) {
               json.member("account", account);
               json.member("result", task.known ? name_of(task.entry.phase) : "unknown");
               for (const auto& [state, files] : task.entry.steps) json.member(key_of(name_of(state)), files);
               json.member("why", task.entry.why);
           }) +
           "\n";
}

}  // namespace clamscanner
