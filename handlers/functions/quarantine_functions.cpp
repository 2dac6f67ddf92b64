// The API functions that list, restore and delete quarantined files.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>
#include <thread>

#include "auth/base/socket.h"
#include "handlers/functions/json_arguments.h"
#include "handlers/functions/routes.h"
#include "handlers/functions/row_shaping.h"
#include "handlers/functions/whole_list.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/mail_name.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::string_view accepted_ids = "a JSON array of ids as list_quarantined_files gives them";
constexpr std::int64_t day_seconds = std::int64_t{24} * 3600;
constexpr std::size_t id_length = 32;
// A while before the one who asks is told that we are too slow.
constexpr std::chrono::seconds patience{8};
constexpr std::chrono::milliseconds shortest_pause{5};
constexpr std::chrono::milliseconds longest_pause{200};

bool is_id(std::string_view text) {
    if (text.size() != id_length) return false;
    if (is_mail(text)) text.remove_suffix(mail_ending.size());
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Each once, in the order in which they were given.
std::vector<std::string> ids_of(const Arguments& arguments) {
    const auto* argument = arguments.find("ids");
    if (argument == nullptr) throw wrong_argument("ids", "is missing", accepted_ids);
    auto given = array_of_texts("ids", *argument, accepted_ids, most_actions);
    if (given.empty()) throw wrong_argument("ids", "is empty", accepted_ids);
    std::set<std::string> seen;
    std::vector<std::string> ids;
    for (auto& id : given) {
        if (!is_id(id)) throw wrong_argument("ids", "contains " + quoted(id) + ", which is not an id", accepted_ids);
        if (seen.insert(id).second) ids.push_back(std::move(id));
    }
    return ids;
}

std::string json_of(const ChangedFile& file) {
    return json_object([&](JsonWriter& json) {
        json.member("file", file.path);
        json.member("id", file.id);
        json.member("message",
                    file.done ? file.message : "still in progress; list_quarantined_files shows when it is done");
        json.member("state", file.done ? name_of(file.state) : "pending");
    });
}

// Since 1970; nothing is deleted by itself before, and what nothing is found in any more is not at all: 0.
std::int64_t kept_until(const Settings& config, const QuarantinedFile& file) {
    if (config.quarantine_days == 0 || file.clean) return 0;
    return file.time_ms / 1000 + static_cast<std::int64_t>(config.quarantine_days) * day_seconds;
}

// Returns the number of what was asked for.
std::uint64_t ask_for_change(const Caller& caller, const std::vector<std::string>& ids, bool restore) {
    std::uint64_t task = 0;
    for (std::size_t first = 0; first < ids.size();) {
        const auto end = std::min(first + most_actions_in_piece, ids.size());
        ChangeQuarantine piece{restore, {}, task, end < ids.size(), caller.asker};
        for (; first < end; ++first) piece.ids.push_back(ids[first]);
        task = caller.jobs.ask(piece).task;
    }
    return task;
}

std::vector<ChangedFile> changed_files(const Caller& caller, std::uint64_t task) {
    std::vector<ChangedFile> files;
    for (std::uint64_t after = 0;;) {
        auto piece = caller.jobs.ask(AskQuarantineChange{task, after});
        std::ranges::move(piece.files, std::back_inserter(files));
        after = piece.next;
        if (after == 0) return files;
    }
}

// Waits for what was asked for, but not for longer than the caller is sure to wait.
Answer change_quarantine(const Caller& caller, const Arguments& arguments, bool restore) {
    const auto task = ask_for_change(caller, ids_of(arguments), restore);
    const auto until = Clock::now() + (caller.may_wait ? patience : std::chrono::seconds(0));
    auto pause = shortest_pause;
    const AskQuarantineChange whether_ended{task, AskQuarantineChange::nothing_after};
    while (!caller.jobs.ask(whether_ended).ended && Clock::now() < until) {
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, longest_pause);
    }
    return answer_array(changed_files(caller, task), json_of);
}

}  // namespace

Answer delete_quarantined_files(const Caller& caller, const Arguments& arguments) {
    return change_quarantine(caller, arguments, false);
}

Answer restore_quarantined_files(const Caller& caller, const Arguments& arguments) {
    return change_quarantine(caller, arguments, true);
}

Answer list_quarantined_files(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"file", "id", "kept_until", "restorable", "sha256", "size", "time", "virus_type"},
              .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    auto quarantined = whole_list<QuarantinedFiles>(
        most_shaped_bytes, [&](const auto& last) { return caller.jobs.ask(AskQuarantinedFiles{last.next}); });
    rows.rows.reserve(quarantined.files.size());
    for (auto& file : quarantined.files) {
        const auto until = kept_until(caller.config, file);
        rows.rows.push_back({std::move(file.path), std::move(file.id), std::to_string(until), file.clean ? "1" : "0",
                             std::move(file.sha256), std::to_string(file.size), std::to_string(file.time_ms / 1000),
                             std::move(file.virus)});
    }
    auto answer = answer_rows(rows, shaping);
    if (quarantined.next != 0)
        answer.warnings.insert(answer.warnings.begin(),
                               "There are more quarantined files than can be listed at a time.");
    return answer;
}

}  // namespace clamscanner
