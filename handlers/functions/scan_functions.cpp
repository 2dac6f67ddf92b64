// The functions that start and end a scan and tell of it.
#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>

#include "handlers/functions/home.h"
#include "handlers/functions/queue_place.h"
#include "handlers/functions/routes.h"
#include "handlers/functions/row_shaping.h"
#include "handlers/functions/scan_type_argument.h"
#include "handlers/functions/whole_list.h"
#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

const std::string accepted_scan_types = [] {
    std::string names;
    for (const auto& row : scan_types) names += (names.empty() ? "" : ", ") + std::string(row.name);
    return names;
}();

std::uint64_t mebibytes(std::uint64_t bytes) {
    constexpr std::uint64_t mebibyte = 1024 * 1024;
    return bytes / mebibyte + (bytes % mebibyte != 0 ? 1 : 0);
}

constexpr const char* list_is_cut =
    "The list of infected files is longer than an answer may be; only its start is given.";

// How old what is known of viruses is; nothing where no database says so.
void add_age_of_signatures(const Caller& caller, std::vector<std::string>& messages) {
    const auto newest = newest_database(caller.config.paths.signature_directory);
    if (!newest) return;
    std::tm built{};
    std::array<char, sizeof "9999-12-31"> date{};
    if (::gmtime_r(&newest->built, &built) == nullptr ||
        std::strftime(date.data(), date.size(), "%Y-%m-%d", &built) == 0)
        return;
    messages.push_back("The newest signatures on this server were made on " + std::string(date.data()) + " (" +
                       newest->name + ", version " + std::to_string(newest->version) + ").");
}

// What asks for the piece behind another one.
auto infected_files_after(const Caller& caller, bool with_gone) {
    return [&caller, with_gone](const InfectedFiles& last) {
        return caller.jobs.ask(AskInfectedFiles{last.next, with_gone});
    };
}

}  // namespace

ScanType scan_type_in(const Arguments& arguments) {
    const auto& name = arguments.text("scan_type", accepted_scan_types);
    const auto known = std::ranges::find(scan_types, name, &ScanTypeRow::name);
    if (known == std::end(scan_types))
        throw wrong_argument("scan_type", "is " + quoted(name) + ", which is not a scan type", accepted_scan_types);
    return known->type;
}

void refuse_unless_scannable(const Caller& caller, ScanType type) {
    const std::string name(row_of(type).name);
    const auto& scan = caller.config.scan_of(type);
    if (!scan.allowed) throw Refusal(200, "Scans of the type \"" + name + "\" are switched off on this server.");
    if (const auto problem = directory_problem(caller.home, scan.directory, caller.lifeline); !problem.empty())
        throw Refusal(200, "The directory " + path_in(caller.home, scan.directory) + ", which is what \"" + name +
                               "\" scans, " + problem + ".");
}

Answer start_scan(const Caller& caller, const Arguments& arguments) {
    const auto type = scan_type_in(arguments);
    const bool full = arguments.flag("full");
    refuse_unless_scannable(caller, type);
    caller.jobs.ask(StartScan{type, false, full, caller.asker});
    return {};
}

Answer get_scan_status(const Caller& caller, const Arguments&) {
    auto status = caller.jobs.ask(AskScanStatus{});
    Answer answer;
    answer.messages = std::move(status.messages);
    answer.warnings = std::move(status.warnings);
    if (!status.ever_started && answer.messages.empty()) answer.messages.emplace_back("No scan has been started.");
    add_queue_place(answer, status.place, "The scan");
    add_age_of_signatures(caller, answer.messages);
    const auto infected = whole_list(answer_budget, std::move(status.infected), infected_files_after(caller, true));
    answer.data = json_object([&](JsonWriter& json) {
        json.member("current_file", status.current_file);
        json.key("infected_files");
        const auto written = json.bounded_array(infected.files, answer_budget,
                                                [](const InfectedFile& file) { return json_text(file.path); });
        if (infected.next != 0 || written < infected.files.size()) answer.warnings.emplace_back(list_is_cut);
        json.member("scan_complete", status.complete);
        json.member("scanned_file_count", status.scanned_files);
        json.member("scanned_file_size", status.scanned_bytes);
        json.member("time_started", status.ever_started ? std::to_string(status.time_started) : "");
        json.member("total_file_count", status.total_files);
        json.member("total_file_size_MiB", mebibytes(status.total_bytes));
    });
    return answer;
}

Answer list_infected_files(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"changed", "file", "first_found", "size", "time", "virus_type"}, .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    // Filters, sorting and paging work on the whole list; without them, what one answer holds is enough.
    const auto most = shaping.asks_for_something() ? most_shaped_bytes : answer_budget;
    auto infected = whole_list<InfectedFiles>(most, infected_files_after(caller, false));
    rows.rows.reserve(infected.files.size());
    for (auto& [path, virus, facts] : infected.files)
        rows.rows.push_back(row_with(seconds_text(facts.changed_ms), std::move(path), seconds_text(facts.first_ms),
                                     size_text(facts), seconds_text(facts.found_ms), std::move(virus)));
    infected.files = {};
    auto answer = answer_rows(rows, shaping);
    if (infected.next != 0)
        answer.warnings.insert(answer.warnings.begin(), "There are more infected files than can be listed at a time.");
    return answer;
}

Answer list_unscanned_files(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"file", "reason"}, .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    auto unscanned = whole_list<UnscannedFiles>(most_shaped_bytes, [&](const auto& last) {
        return caller.jobs.ask(AskUnscannedFiles{last.next, last.place});
    });
    rows.rows.reserve(unscanned.files.size());
    for (auto& file : unscanned.files) rows.rows.push_back({std::move(file.path), name_of(file.reason)});
    auto answer = answer_rows(rows, shaping);
    if (unscanned.next != 0)
        answer.warnings.insert(answer.warnings.begin(), "There are more such files than can be listed at a time.");
    return answer;
}

Answer cancel_scan(const Caller& caller, const Arguments&) {
    caller.jobs.ask(CancelScan{});
    return {};
}

Answer get_scan_paths(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"id", "message"}, .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    for (const auto& row : scan_types) {
        const auto& scan = caller.config.scan_of(row.type);
        if (scan.allowed && directory_problem(caller.home, scan.directory, caller.lifeline).empty())
            rows.rows.push_back({std::string(row.name), std::string(row.description)});
    }
    return answer_rows(rows, shaping);
}

}  // namespace clamscanner
