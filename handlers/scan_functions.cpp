#include "handlers/scan_functions.h"

#include <algorithm>

#include "handlers/home.h"
#include "handlers/json_text.h"
#include "handlers/json_writer.h"
#include "handlers/refusal.h"
#include "handlers/rows.h"

namespace clamscanner {
namespace {

constexpr std::array<const char*, scan_type_count> scan_type_descriptions = {
    "Scan the entire home directory", "Scan mail", "Scan the public web space", "Scan the public FTP space"};

const std::string accepted_scan_types = [] {
    std::string names;
    for (const char* name : scan_type_names) names += (names.empty() ? "" : ", ") + std::string(name);
    return names;
}();

// What is to be said of a directory that cannot be scanned, by DirectoryState.
constexpr const char* directory_problems[] = {
    "",
    "does not exist",
    "is a symbolic link or lies behind one, and links are not followed",
    "is not a directory",
    "may not be entered by its owner",
};

std::string path_of(const std::string& home, const std::string& directory) {
    return directory.empty() ? home : home + "/" + directory;
}

std::uint64_t mebibytes(std::uint64_t bytes) {
    constexpr std::uint64_t mebibyte = 1024 * 1024;
    return bytes / mebibyte + (bytes % mebibyte != 0 ? 1 : 0);
}

}  // namespace

Answer start_scan(const Caller& caller, const Arguments& arguments) {
    const auto& name = arguments.text("scan_type", accepted_scan_types);
    const auto known = std::ranges::find(scan_type_names, name);
    if (known == scan_type_names.end())
        throw wrong_argument("scan_type", "is " + quoted(name) + ", which is no scan type", accepted_scan_types);
    const auto index = static_cast<std::size_t>(known - scan_type_names.begin());
    const auto& scan = caller.config.scan[index];
    if (!scan.allowed) throw Refusal(200, "Scans of the type \"" + name + "\" are switched off on this server.");
    const auto state = look_at_directory(caller.home, scan.directory);
    if (state != DirectoryState::Present)
        throw Refusal(200, "The directory " + path_of(caller.home, scan.directory) + ", which is what \"" + name +
                               "\" scans, " + directory_problems[static_cast<std::size_t>(state)] + ".");
    caller.jobs.start_scan(static_cast<ScanType>(index));
    return {};
}

Answer get_scan_status(const Caller& caller, const Arguments&) {
    auto status = caller.jobs.scan_status();
    Answer answer;
    answer.messages = std::move(status.messages);
    answer.warnings = std::move(status.warnings);
    if (!status.ever_started && answer.messages.empty()) answer.messages.emplace_back("No scan has been started.");

    JsonWriter json(answer.data);
    json.begin_object();
    json.key("current_file");
    json.text(status.current_file);
    json.key("infected_files");
    const auto written = json.bounded_array(status.infected_files, answer_budget, json_text);
    if (written < status.infected_files.size())
        answer.warnings.push_back(left_out(status.infected_files.size(), written));
    json.key("scan_complete");
    json.number(status.complete ? 1 : 0);
    json.key("scanned_file_count");
    json.number(status.scanned_files);
    json.key("scanned_file_size");
    json.number(status.scanned_bytes);
    json.key("time_started");
    json.text(status.ever_started ? std::to_string(status.time_started) : "");
    json.key("total_file_count");
    json.number(status.total_files);
    json.key("total_file_size_MiB");
    json.number(mebibytes(status.total_bytes));
    json.end_object();
    return answer;
}

Answer list_infected_files(const Caller& caller, const Arguments&) {
    auto infected = caller.jobs.infected_files();
    Rows rows{.columns = {"file", "virus_type"}, .rows = {}};
    rows.rows.reserve(infected.files.size());
    for (auto& file : infected.files) rows.rows.push_back({std::move(file.path), std::move(file.virus)});
    auto answer = answer_rows(rows);
    answer.warnings.insert(answer.warnings.begin(), infected.warnings.begin(), infected.warnings.end());
    return answer;
}

Answer get_scan_paths(const Caller& caller, const Arguments&) {
    Rows rows{.columns = {"id", "message"}, .rows = {}};
    for (std::size_t i = 0; i < scan_type_count; ++i) {
        const auto& scan = caller.config.scan[i];
        if (scan.allowed && look_at_directory(caller.home, scan.directory) == DirectoryState::Present)
            rows.rows.push_back({scan_type_names[i], scan_type_descriptions[i]});
    }
    return answer_rows(rows);
}

}  // namespace clamscanner
