// The API functions by which an owner says that a find is fine, says so no longer, and sees what is ignored.
#include <algorithm>
#include <ctime>
#include <limits>
#include <set>

#include "handlers/functions/json_arguments.h"
#include "handlers/functions/routes.h"
#include "handlers/functions/row_shaping.h"
#include "handlers/functions/whole_list.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::string_view accepted_files = "a JSON array of at most 5000 paths, as list_infected_files gives them";
constexpr std::string_view accepted_ids = "a JSON array of at most 5000 ids as list_ignored_files gives them";
constexpr std::string_view accepted_expiry = "seconds since 1970, in the future, or 0 for never";
constexpr std::int64_t latest_expiry = 253'402'300'799;  // the end of the year 9999

// An answer of UAPI's may hold more than one file, so each has its own result.
struct Result {
    std::string key;  // a path or an id
    bool done = false;
    std::string message;
};

bool has_done_some(const std::vector<Result>& results) {
    return std::ranges::any_of(results, &Result::done);
}

Answer answer_results(const char* key, const char* done, const std::vector<Result>& results) {
    return answer_array(results, [&](const Result& result) {
        return json_object([&](JsonWriter& json) {
            json.member(key, result.key);
            json.member("message", result.message);
            json.member("state", result.done ? done : "error");
        });
    });
}

// Each once, in the order in which they were given.
std::vector<std::string> texts_of(const Arguments& arguments, std::string_view name, std::string_view accepted) {
    const auto* argument = arguments.find(name);
    if (argument == nullptr) throw wrong_argument(name, "is missing", accepted);
    auto given = array_of_texts(name, *argument, accepted, most_ignored_per_account);
    if (given.empty()) throw wrong_argument(name, "is empty", accepted);
    std::set<std::string> seen;
    std::erase_if(given, [&](const std::string& text) { return !seen.insert(text).second; });
    return given;
}

std::vector<std::string> paths_of(const Arguments& arguments) {
    auto paths = texts_of(arguments, "files", accepted_files);
    for (const auto& path : paths)
        if (!path.starts_with('/') || path.size() > longest_path || path.find('\0') != std::string::npos)
            throw wrong_argument("files", "contains " + quoted(path) + ", which is no absolute path", accepted_files);
    return paths;
}

Ignoring ignoring_of(const Arguments& arguments) {
    Ignoring ignoring;
    if (const auto* reason = arguments.find("reason")) ignoring.reason = reason->text;
    if (ignoring.reason.size() > longest_ignore_reason)
        throw wrong_argument("reason", "has " + std::to_string(ignoring.reason.size()) + " bytes",
                             "at most " + std::to_string(longest_ignore_reason) + " bytes");
    const auto* expiry = arguments.find("expires_at");
    if (expiry == nullptr) return ignoring;
    const auto seconds = whole_number(expiry->text);
    if (!seconds || *seconds < 0 || *seconds > latest_expiry || (*seconds != 0 && *seconds <= std::time(nullptr)))
        throw wrong_argument("expires_at", "is " + quoted(expiry->text), accepted_expiry);
    ignoring.expires_ms = *seconds * 1000;
    return ignoring;
}

Result result_of(const std::string& path, IgnoreResult result) {
    switch (result) {
        case IgnoreResult::Ignored:
            return {path, true, "its content is ignored as long as it is found by this signature, wherever it lies"};
        case IgnoreResult::UnknownContent:
            return {path, false,
                    "its content is not known, because it changed while it was scanned: have it scanned again, then "
                    "ignore it"};
        case IgnoreResult::TooMany:
            return {path, false,
                    "the account ignores as many contents as it may, " + std::to_string(most_ignored_per_account) +
                        ": unignore_files makes room"};
        case IgnoreResult::NoFind:
            break;
    }
    return {path, false,
            "the last scan found nothing there that is there still: list_infected_files shows what it found"};
}

Result result_of(const std::string& id, UnignoreResult result) {
    switch (result) {
        case UnignoreResult::Ended:
            return {id, true, "what it ignored is found again; of the last scan it is in the list within moments"};
        case UnignoreResult::Administrators:
            return {id, false, "the administrator ignores it for all accounts: ask your administrator"};
        case UnignoreResult::NoSuchRow:
            break;
    }
    return {id, false, "there is no such id: list_ignored_files shows those that there are"};
}

std::string who(const Asker& asker) {
    return std::string(name_of(asker.by)) + (asker.which.empty() ? "" : " " + asker.which);
}

}  // namespace

Answer ignore_files(const Caller& caller, const Arguments& arguments) {
    const auto paths = paths_of(arguments);
    auto ignoring = ignoring_of(arguments);
    ignoring.asker = caller.asker;
    std::vector<Result> results;
    for (std::size_t first = 0; first < paths.size();) {
        IgnoreFiles piece{{}, ignoring, has_done_some(results), caller.voucher};
        for (std::size_t bytes = 0; first + piece.paths.size() < paths.size() &&
                                    piece.paths.size() < most_ignored_in_piece && bytes < piece_budget;)
            bytes += piece.paths.emplace_back(paths[first + piece.paths.size()]).size();
        const auto answered = caller.jobs.ask(piece).results;
        if (answered.size() != piece.paths.size()) throw Malformed("jobd answers for other files than it was asked");
        for (const auto& [result] : answered) results.push_back(result_of(paths[first++], result));
    }
    return answer_results("file", "ignored", results);
}

Answer unignore_files(const Caller& caller, const Arguments& arguments) {
    const auto ids = texts_of(arguments, "ids", accepted_ids);
    std::vector<UnignoreFiles::RowId> rows;
    for (const auto& id : ids) {
        const auto row = whole_number(id);
        if (!row || *row < 1)
            throw wrong_argument("ids", "contains " + quoted(id) + ", which is not an id", accepted_ids);
        rows.push_back({static_cast<std::uint64_t>(*row)});
    }
    std::vector<Result> results;
    while (results.size() < rows.size()) {
        const auto first = rows.begin() + static_cast<std::ptrdiff_t>(results.size());
        const auto size = std::min(rows.size() - results.size(), most_ignored_in_piece);
        const UnignoreFiles piece{
            {first, first + static_cast<std::ptrdiff_t>(size)}, has_done_some(results), caller.asker};
        const auto answered = caller.jobs.ask(piece).results;
        if (answered.size() != size) throw Malformed("jobd answers for other ids than it was asked");
        for (const auto& [result] : answered) results.push_back(result_of(ids[results.size()], result));
    }
    return answer_results("id", "ended", results);
}

Answer list_ignored_files(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"by", "expires", "file", "found", "from", "id", "reason", "sha256", "time", "virus_type"},
              .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    auto ignored = whole_list<Ignored>(most_shaped_bytes,
                                       [&](const auto& last) { return caller.jobs.ask(AskIgnored{last.next}); });
    rows.rows.reserve(ignored.files.size());
    for (auto& file : ignored.files)
        rows.rows.push_back({who(file.ignoring.asker), std::to_string(file.ignoring.expires_ms / 1000),
                             std::move(file.path), file.found ? "1" : "0", std::move(file.ignoring.asker.from),
                             std::to_string(file.row), std::move(file.ignoring.reason), std::move(file.sha256),
                             std::to_string(file.since_ms / 1000), std::move(file.virus)});
    auto answer = answer_rows(rows, shaping);
    if (ignored.next != 0)
        answer.warnings.insert(answer.warnings.begin(), "There are more ignored files than can be listed at a time.");
    return answer;
}

}  // namespace clamscanner
