// The API functions that start a disinfection and report on it.
#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "auth/base/log.h"
#include "handlers/functions/json_arguments.h"
#include "handlers/functions/queue_place.h"
#include "handlers/functions/routes.h"
#include "handlers/functions/rows.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/record_json.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::string_view accepted_actions =
    "an object whose keys are paths of infected files and whose values are \"ignore\", \"delete\", \"quarantine\" or "
    "\"cleanse_mailbox\"";

constexpr std::int64_t largest_id = 9'007'199'254'740'991;  // beyond it JavaScript loses digits
constexpr std::string_view accepted_last_id = "a whole number from 1 to 9007199254740991";

constexpr std::array<const char*, 4> state_names = {"none", "queued", "running", "done"};  // by DisinfectionState

// Of those that may be asked for.
std::optional<Action> action_named(std::string_view name) {
    const auto* const found = std::ranges::find(requested_actions, name, [](Action one) { return name_of(one); });
    return found == std::end(requested_actions) ? std::nullopt : std::optional(*found);
}

FileAction action_of(std::string path, const std::string& name) {
    const auto refuse = [&](const std::string& wrong) { throw wrong_argument("actions", wrong, accepted_actions); };
    if (path.empty()) refuse("has an empty path");
    if (path.find('\0') != std::string::npos) refuse("has a path with a NUL byte, " + quoted(path));
    if (path.size() > longest_path)
        refuse("has a path of more than " + std::to_string(longest_path) + " bytes, " + quoted(path));
    const auto action = action_named(name);
    if (!action) refuse("has the unknown action " + quoted(name) + " for " + quoted(path));
    return {std::move(path), *action};
}

// 0 when it was not given.
std::uint64_t last_id_of(const Arguments& arguments) {
    const auto* argument = arguments.find("last_id");
    if (argument == nullptr) return 0;
    const auto id = whole_number(argument->text);
    if (!id || *id < 1 || *id > largest_id || argument->text.starts_with('0'))
        throw wrong_argument("last_id", "is " + quoted(argument->text), accepted_last_id);
    return static_cast<std::uint64_t>(*id);
}

Answer steps_of(const std::vector<Record>& steps) {
    return answer_array(steps, [](const Record& step) {
        return json_object([&](JsonWriter& json) {
            json.member("file", step.file);
            json.member("message", step.message);
            json.member("state", name_of(step.state));
        });
    });
}

// Of these actions, from `first` on, as many as one question to jobd may hold.
std::vector<FileAction> piece_of(const std::vector<FileAction>& actions, std::size_t first) {
    std::vector<FileAction> piece;
    std::size_t bytes = 0;
    while (first < actions.size() && piece.size() < most_actions_in_piece && bytes < piece_budget) {
        bytes += actions[first].path.size();
        piece.push_back(actions[first++]);
    }
    return piece;
}

[[noreturn]] void refuse_conflict(const std::string& first, const std::string& second) {
    constexpr std::size_t shown = 400;
    throw Refusal(200, "actions: " + printable(first.substr(0, shown)) + " and " + printable(second.substr(0, shown)) +
                           " are the same file, but their actions differ. Give each file one action.");
}

// What would be done with each file, asked for piece by piece. `actions` becomes one action for each file, by the path
// that jobd knows it by; jobd itself sees two for one file only if they are in the same piece.
std::vector<Record> resolve(const Caller& caller, std::vector<FileAction>& actions) {
    std::vector<Record> steps;
    std::vector<FileAction> resolved;
    std::unordered_map<std::string, Action> known;
    for (std::size_t first = 0; first < actions.size();) {
        auto piece = piece_of(actions, first);
        first += piece.size();
        for (auto& step : caller.jobs.ask(AskDryRun{piece}).steps) {
            if (step.id == 0 || step.id > piece.size()) throw Malformed("a step of no action");
            const auto action = piece[step.id - 1].action;
            const auto [one, fresh] = known.try_emplace(step.file, action);
            if (!fresh && one->second != action) refuse_conflict(step.file, step.file);
            if (!fresh) continue;
            step.id = steps.size() + 1;
            resolved.push_back({step.file, action});
            steps.push_back(std::move(step));
        }
    }
    actions = std::move(resolved);
    return steps;
}

// Queued with the last piece, or not at all.
DisinfectionQueued disinfect(const Caller& caller, std::vector<FileAction> actions) {
    if (piece_of(actions, 0).size() < actions.size()) resolve(caller, actions);
    DisinfectionQueued queued;
    for (std::size_t first = 0; first < actions.size();) {
        auto piece = piece_of(actions, first);
        first += piece.size();
        queued = caller.jobs.ask(Disinfect{std::move(piece), queued.task, first < actions.size(), caller.asker});
    }
    return queued;
}

// The records behind `last_id`, put together from as many pieces as fit into an answer.
DisinfectionStatus records_after(const Caller& caller, std::uint64_t last_id) {
    auto all = caller.jobs.ask(AskDisinfection{last_id});
    for (std::size_t bytes = piece_budget; all.more && bytes < answer_budget; bytes += piece_budget) {
        auto piece = caller.jobs.ask(AskDisinfection{all.records.back().id});
        const bool is_another = piece.task != all.task;  // a disinfection that was begun meanwhile
        if (!is_another) {
            std::ranges::move(piece.records, std::back_inserter(all.records));
            piece.records = std::move(all.records);
        }
        all = is_another ? caller.jobs.ask(AskDisinfection{0}) : std::move(piece);
    }
    return all;
}

}  // namespace

bool is_map_of_actions(std::string_view json) {
    // A key that is an argument's name says that the arguments are the members.
    return is_object_of_texts(json, [](std::string_view key, std::string_view text) {
        return key != "actions" && key != "dry_run" && action_named(text).has_value();
    });
}

Answer disinfect_files(const Caller& caller, const Arguments& arguments) {
    const auto* argument = arguments.find("actions");
    if (argument == nullptr) throw wrong_argument("actions", "is missing", accepted_actions);
    auto pairs = object_of_texts("actions", *argument, accepted_actions, most_actions);
    if (pairs.empty()) throw wrong_argument("actions", "is empty", accepted_actions);
    std::vector<FileAction> actions;
    actions.reserve(pairs.size());
    for (auto& [path, action] : pairs) actions.push_back(action_of(std::move(path), action));
    if (arguments.flag("dry_run")) return steps_of(resolve(caller, actions));
    const auto queued = disinfect(caller, std::move(actions));
    Answer answer;
    answer.data = json_object([&](JsonWriter& json) {
        json.member("log", queued.log);
        json.member("task_id", queued.task_id);
    });
    return answer;
}

Answer check_disinfection_status(const Caller& caller, const Arguments& arguments) {
    auto status = records_after(caller, last_id_of(arguments));
    Answer answer;
    answer.warnings = std::move(status.warnings);
    add_queue_place(answer, status.place, "The disinfection");
    answer.data = json_object([&](JsonWriter& json) {
        json.key("details");
        const auto written = json.bounded_array(status.records, answer_budget, record_line);
        // "done" only together with the last record: a client stops asking when it reads that.
        if (written < status.records.size() && status.state == DisinfectionState::Done)
            status.state = DisinfectionState::Running;
        json.member("log", status.log);
        json.member("status", state_names[static_cast<std::size_t>(status.state)]);
    });
    return answer;
}

}  // namespace clamscanner
