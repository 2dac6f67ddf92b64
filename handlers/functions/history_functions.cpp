// The API function that lists what was done for the account, and what was changed: who asked for what, when, and what
// came of it.
#include "handlers/functions/routes.h"
#include "handlers/functions/row_shaping.h"
#include "jobs/shared/scan_types.h"

namespace clamscanner {
namespace {

// Of a year, with a scan and a disinfection each hour.
constexpr std::size_t most_listed = 20'000;

std::string action_of(const HistoryEntry& entry) {
    std::string action = name_of(entry.what);
    if (entry.what == AskedFor::Scan) action += " of " + std::string(row_of(entry.scan_type).name);
    return action;
}

// "3 files, the first: "
std::string named(std::uint64_t number, const std::string& one) {
    if (number == 0) return "";
    return std::to_string(number) + " " + one + (number == 1 ? ": " : "s, the first: ");
}

std::string message_of(const HistoryEntry& entry) {
    if (entry.what == AskedFor::IgnoreFiles) return named(entry.files, "file") + entry.why;
    if (entry.what == AskedFor::UnignoreFiles) return named(entry.files, "content") + entry.why;
    std::string message;
    const auto add = [&](const std::string& part) { message += (message.empty() ? "" : ", ") + part; };
    if (entry.what == AskedFor::Scan) {
        add(std::to_string(entry.files) + " files");
        add(std::to_string(entry.infected) + " infected");
        if (entry.ignored > 0) add(std::to_string(entry.ignored) + " ignored");
        add(std::to_string(entry.unscanned) + " not scanned");
    }
    for (const auto& [state, files] : entry.steps) add(std::to_string(files) + " " + name_of(state));
    if (!entry.why.empty()) message += (message.empty() ? "" : "; ") + entry.why;
    return message;
}

std::string who_asked(const Asker& asker) {
    return std::string(name_of(asker.by)) + (asker.which.empty() ? "" : " " + asker.which);
}

}  // namespace

Answer list_history(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"action", "by", "ended", "from", "message", "result", "time"}, .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    History piece;
    do {
        piece = caller.jobs.ask(AskHistory{piece.next});
        for (auto& entry : piece.entries)
            rows.rows.push_back({action_of(entry), who_asked(entry.asker),
                                 entry.ended_ms == 0 ? "" : std::to_string(entry.ended_ms / 1000),
                                 std::move(entry.asker.from), message_of(entry), name_of(entry.phase),
                                 std::to_string(entry.asked_ms / 1000)});
    } while (piece.next != 0 && rows.rows.size() < most_listed);
    auto answer = answer_rows(rows, shaping);
    if (piece.next != 0)
        answer.warnings.insert(answer.warnings.begin(),
                               "There is more than can be listed at a time: only the latest "
                               "entries are here.");
    return answer;
}

}  // namespace clamscanner
