// The functions about what is in the quarantine.
#include <algorithm>
#include <iterator>
#include <set>

#include "handlers/functions/json_arguments.h"
#include "handlers/functions/routes.h"
#include "handlers/functions/row_shaping.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/message_name.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::string_view accepted_ids = "a JSON array of ids as list_quarantined_files gives them";
constexpr std::size_t id_length = 32;

bool is_id(std::string_view text) {
    if (text.size() != id_length) return false;
    if (is_message(text)) text.remove_suffix(message_ending.size());
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
        if (!is_id(id)) throw wrong_argument("ids", "holds " + quoted(id) + ", which is no id", accepted_ids);
        if (seen.insert(id).second) ids.push_back(std::move(id));
    }
    return ids;
}

std::string json_of(const ChangedFile& file) {
    return json_object([&](JsonWriter& json) {
        json.member("file", file.path);
        json.member("id", file.id);
        json.member("message", file.done ? file.message : "it goes on; list_quarantined_files tells when it is done");
        json.member("state", file.done ? name_of(file.state) : "pending");
    });
}

Answer change_quarantine(const Caller& caller, const Arguments& arguments, bool restore) {
    return answer_array(caller.jobs.change_quarantine(restore, ids_of(arguments)), json_of);
}

}  // namespace

Answer delete_quarantined_files(const Caller& caller, const Arguments& arguments) {
    return change_quarantine(caller, arguments, false);
}

Answer restore_quarantined_files(const Caller& caller, const Arguments& arguments) {
    return change_quarantine(caller, arguments, true);
}

Answer list_quarantined_files(const Caller& caller, const Arguments& arguments) {
    Rows rows{.columns = {"file", "id", "restorable", "sha256", "size", "time", "virus_type"}, .rows = {}};
    const RowShaping shaping(arguments, rows.columns);
    for (auto piece = caller.jobs.quarantined_files(0);; piece = caller.jobs.quarantined_files(piece.next)) {
        for (auto& file : piece.files)
            rows.rows.push_back({std::move(file.path), std::move(file.id), file.clean ? "1" : "0",
                                 std::move(file.sha256), std::to_string(file.size), std::to_string(file.time_ms / 1000),
                                 std::move(file.virus)});
        if (piece.next == 0 || rows.rows.size() >= most_actions) break;
    }
    return answer_rows(rows, shaping);
}

}  // namespace clamscanner
