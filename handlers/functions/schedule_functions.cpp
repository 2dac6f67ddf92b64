// The functions that tell and change the account's schedule of scans.
#include "handlers/functions/routes.h"
#include "handlers/functions/scan_type_argument.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr const char* accepted_frequencies = "never, daily, weekly";
constexpr const char* accepted_days = "monday, tuesday, wednesday, thursday, friday, saturday, sunday";
constexpr const char* accepted_hours = "a whole number from 0 to 23";

Answer answer_of(const ScheduleStatus& status) {
    const auto& schedule = status.schedule;
    const bool weekly = schedule.on && schedule.day != ScheduleDay::Every;
    Answer answer;
    if (!status.allowed) answer.messages.emplace_back("Scheduled scans are switched off on this server.");
    answer.data = json_object([&](JsonWriter& json) {
        json.member("allowed", status.allowed);
        json.member("day", weekly ? name_of(schedule.day) : "");
        json.member("frequency", !schedule.on ? "never" : weekly ? "weekly" : "daily");
        json.member("hour", std::uint64_t{schedule.hour});
        json.member("next_time", static_cast<std::uint64_t>(status.next_time));
        json.member("next_time_local", status.next_local);
        json.member("scan_type", schedule.on ? std::string(row_of(schedule.scan_type).name) : "");
    });
    return answer;
}

ScheduleDay day_in(const Arguments& arguments) {
    const auto& name = arguments.text("day", accepted_days);
    for (auto day = 0; day < static_cast<int>(ScheduleDay::Every); ++day)
        if (name == name_of(static_cast<ScheduleDay>(day))) return static_cast<ScheduleDay>(day);
    throw wrong_argument("day", "is " + quoted(name) + ", which is no day of the week", accepted_days);
}

std::uint8_t hour_in(const Arguments& arguments) {
    const auto* const given = arguments.find("hour");
    if (given == nullptr) throw wrong_argument("hour", "is missing", accepted_hours);
    const auto hour = whole_number(given->text);
    if (!hour || *hour < 0 || *hour > last_hour_of_day || given->form > ArgumentForm::Number)
        throw wrong_argument("hour", "is " + quoted(given->text) + ", which is no hour of the day", accepted_hours);
    return static_cast<std::uint8_t>(*hour);
}

Schedule schedule_in(const Caller& caller, const Arguments& arguments) {
    const auto& frequency = arguments.text("frequency", accepted_frequencies);
    if (frequency == "never") return {};
    if (frequency != "daily" && frequency != "weekly")
        throw wrong_argument("frequency", "is " + quoted(frequency) + ", which is not how often a scan may run",
                             accepted_frequencies);
    Schedule schedule{true, scan_type_in(arguments), ScheduleDay::Every, hour_in(arguments)};
    if (frequency == "weekly") schedule.day = day_in(arguments);
    if (frequency == "daily" && arguments.find("day") != nullptr)
        throw wrong_argument("day", "is given for a daily scan", "none, unless frequency is weekly");
    refuse_unless_scannable(caller, schedule.scan_type);
    return schedule;
}

}  // namespace

Answer get_schedule(const Caller& caller, const Arguments&) {
    return answer_of(caller.jobs.ask(AskSchedule{}));
}

Answer set_schedule(const Caller& caller, const Arguments& arguments) {
    return answer_of(caller.jobs.ask(SetSchedule{schedule_in(caller, arguments), caller.asker, caller.voucher}));
}

}  // namespace clamscanner
