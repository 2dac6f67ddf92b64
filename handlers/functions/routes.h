// Which code answers each function of the interface, and which of its arguments is an object or an array. A new
// function has a line here twice, one in handlers/shared/functions.h, and its code in the file of its subject.
#pragma once

#include <algorithm>
#include <string_view>

#include "handlers/functions/arguments.h"
#include "handlers/functions/caller.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/functions.h"

namespace clamscanner {

// Throws Refusal.
using AnswerFunction = Answer(const Caller& caller, const Arguments& arguments);

AnswerFunction cancel_scan;
AnswerFunction check_disinfection_status;
AnswerFunction confirm_notifications;
AnswerFunction delete_quarantined_files;
AnswerFunction disinfect_files;
AnswerFunction get_notifications;
AnswerFunction get_scan_paths;
AnswerFunction get_scan_status;
AnswerFunction get_schedule;
AnswerFunction ignore_files;
AnswerFunction list_history;
AnswerFunction list_ignored_files;
AnswerFunction list_infected_files;
AnswerFunction list_quarantined_files;
AnswerFunction list_unscanned_files;
AnswerFunction restore_quarantined_files;
AnswerFunction set_notifications;
AnswerFunction set_schedule;
AnswerFunction start_scan;
AnswerFunction unignore_files;
AnswerFunction view_infected_file;

// Whether `json` is what to do with each file, and nothing else: as the samples of UAPI's reference send it.
[[nodiscard]] bool is_map_of_actions(std::string_view json);

inline constexpr CompoundArgument actions_argument{"actions", CompoundArgument::Kind::Object, is_map_of_actions};
inline constexpr CompoundArgument files_argument{"files", CompoundArgument::Kind::Array};
inline constexpr CompoundArgument ids_argument{"ids", CompoundArgument::Kind::Array};

struct Route {
    std::string_view function;
    AnswerFunction* answer;
    const CompoundArgument* compound = nullptr;
    bool waits = false;  // for a job, if the caller may wait
};

inline constexpr Route routes[] = {
    {"cancel_scan", cancel_scan},
    {"check_disinfection_status", check_disinfection_status},
    {"confirm_notifications", confirm_notifications},
    {"delete_quarantined_files", delete_quarantined_files, &ids_argument, true},
    {"disinfect_files", disinfect_files, &actions_argument},
    {"get_notifications", get_notifications},
    {"get_scan_paths", get_scan_paths},
    {"get_scan_status", get_scan_status},
    {"get_schedule", get_schedule},
    {"ignore_files", ignore_files, &files_argument},
    {"list_history", list_history},
    {"list_ignored_files", list_ignored_files},
    {"list_infected_files", list_infected_files},
    {"list_quarantined_files", list_quarantined_files},
    {"list_unscanned_files", list_unscanned_files},
    {"restore_quarantined_files", restore_quarantined_files, &ids_argument, true},
    {"set_notifications", set_notifications},
    {"set_schedule", set_schedule},
    {"start_scan", start_scan},
    {"unignore_files", unignore_files, &ids_argument},
    {"view_infected_file", view_infected_file},
};
static_assert(std::ranges::equal(routes, functions, {}, &Route::function, &Function::name),
              "every function has a route, and in the same order");

}  // namespace clamscanner
