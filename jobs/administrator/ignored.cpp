#include "jobs/administrator/ignored.h"

#include <sysexits.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "auth/base/log.h"
#include "jobs/administrator/report.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

constexpr std::size_t sha256_length = 64;

std::string or_any(const std::string& text) {
    return text.empty() ? "-" : printable(text);
}

std::string ignored_text(const IgnoredEverywhere& row) {
    return std::to_string(row.id) + "\t" + or_any(row.virus) + "\t" + or_any(row.sha256) + "\t" + or_any(row.pattern) +
           "\t" + time_text(row.created_ms) + "\t" + (row.expires_ms == 0 ? "-" : time_text(row.expires_ms)) + "\t" +
           printable(row.reason) + "\n";
}

std::string ignored_json(const IgnoredEverywhere& row) {
    return json_object([&](JsonWriter& json) {
               json.member("id", row.id);
               json.member("signature", row.virus);
               json.member("sha256", row.sha256);
               json.member("path", row.pattern);
               json.member("since", static_cast<std::uint64_t>(row.created_ms / 1000));
               json.key("expires");
               row.expires_ms == 0 ? json.null() : json.number(static_cast<std::uint64_t>(row.expires_ms / 1000));
               json.member("reason", row.reason);
           }) +
           "\n";
}

std::int64_t day_of(const std::string& text) {
    tm day{};
    const char* const end = ::strptime(text.c_str(), "%Y-%m-%d", &day);
    const auto seconds = end != nullptr && *end == '\0' ? ::timegm(&day) : -1;
    if (seconds <= ::time(nullptr))
        throw UsageError("--expires is a day in the future, YYYY-MM-DD, not " + printable(text));
    return std::int64_t{seconds} * 1000;
}

std::string sha256_of(std::string text) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (text.size() != sha256_length || !std::ranges::all_of(text, is_digit))
        throw UsageError("--sha256 is 64 hex digits, not " + printable(text));
    return text;
}

std::string at_most(std::size_t length, const char* option, const CommandLine& line) {
    auto text = line.value(option).value_or("");
    if (text.size() > length)
        throw UsageError(std::string("--") + option + " has at most " + std::to_string(length) + " bytes");
    return text;
}

IgnoredEverywhere row_of(const CommandLine& line) {
    IgnoredEverywhere row;
    row.virus = at_most(longest_virus_name, "signature", line);
    row.pattern = at_most(longest_pattern, "path", line);
    row.reason = at_most(longest_ignore_reason, "reason", line);
    if (line.has("sha256")) row.sha256 = sha256_of(*line.value("sha256"));
    if (line.has("expires")) row.expires_ms = day_of(*line.value("expires"));
    if (row.virus.empty() && row.sha256.empty())
        throw UsageError(row.pattern.empty() ? "--ignore add wants --signature or --sha256"
                                             : "a path alone ignores nothing: --path goes with --signature");
    if (!row.pattern.empty() && (row.virus.empty() || !row.sha256.empty()))
        throw UsageError("--path goes with --signature, and not with --sha256");
    if (row.pattern.starts_with('/'))
        throw UsageError("--path is relative to each home: it does not begin with a slash");
    return row;
}

int remove(Jobs& jobs, const CommandLine& line) {
    std::uint64_t id = 0;
    const auto text = line.operands().empty() ? std::string() : line.operands().front();
    const char* const end = text.data() + text.size();
    if (text.empty() || std::from_chars(text.data(), end, id).ptr != end)
        throw UsageError("--ignore remove wants an id of --ignore list");
    jobs.ask(UnignoreEverywhere{id});
    std::puts("What it ignored is found again.");
    return EX_OK;
}

}  // namespace

int ignore(Jobs& jobs, const CommandLine& line, bool json) {
    const auto what = *line.value("ignore");
    if (what == "remove") return remove(jobs, line);
    if (what == "add") {
        jobs.ask(IgnoreEverywhere{row_of(line)});
        std::puts("It is ignored from the next find on.");
        return EX_OK;
    }
    if (what != "list") throw UsageError("--ignore is list, add or remove, not " + printable(what));
    for (const auto& row : jobs.ask(AskIgnoredEverywhere{}).rows) {
        const auto text = json ? ignored_json(row) : ignored_text(row);
        std::fwrite(text.data(), 1, text.size(), stdout);
    }
    return EX_OK;
}

}  // namespace clamscanner
