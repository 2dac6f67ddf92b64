#include "jobs/jobd/schedule_times.h"

#include <algorithm>
#include <ctime>

namespace clamscanner {
namespace {

constexpr std::int64_t hour_s = 3600;
constexpr std::int64_t day_s = 24 * hour_s;
constexpr std::int64_t days_of_week = 7;
constexpr std::int64_t weekday_of_the_epoch = 4;  // Thursday
// A period may be shorter than its days by what daylight saving takes, and by how late the last scan was queued.
constexpr std::int64_t slack_s = 2 * hour_s;

std::tm local(std::int64_t time) {
    const auto seconds = static_cast<std::time_t>(time);
    std::tm fields{};
    ::localtime_r(&seconds, &fields);
    return fields;
}

// Rounded down.
std::int64_t day_of(std::int64_t seconds) {
    return seconds / day_s - (seconds % day_s < 0 ? 1 : 0);
}

std::int64_t local_day(std::int64_t time) {
    return day_of(time + local_offset(time));
}

// The first time at which local clocks show this; if they leave it out, the time that would have been it. `shown`: as
// if it were UTC.
std::int64_t time_that_shows(std::int64_t shown) {
    const auto before = local_offset(shown - day_s);
    const auto after = local_offset(shown + day_s);
    const auto first = shown - std::max(before, after);
    if (local_offset(first) == std::max(before, after)) return first;
    const auto second = shown - std::min(before, after);
    return local_offset(second) == std::min(before, after) ? second : shown - before;
}

}  // namespace

std::int64_t local_offset(std::int64_t now) {
    return local(now).tm_gmtoff;
}

std::uint8_t local_hour(std::int64_t now) {
    return static_cast<std::uint8_t>(local(now).tm_hour);
}

std::string local_time(std::int64_t time) {
    char text[64];
    const auto fields = local(time);
    const auto length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &fields);
    return {text, length};
}

std::uint32_t spread_of(const std::string& account) {
    // FNV-1a, and its high bits mixed into the low ones: names that differ in a digit alone lie far apart.
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char byte : account) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdULL;
    hash ^= hash >> 33;
    return static_cast<std::uint32_t>(hash % seconds_of_spread);
}

bool ScheduleTimes::is_on(std::int64_t day) const {
    if (day_ == ScheduleDay::Every) return true;
    const auto weekday = ((day + weekday_of_the_epoch) % days_of_week + days_of_week) % days_of_week;
    return weekday == static_cast<std::int64_t>(day_);
}

Slot ScheduleTimes::on(std::int64_t day) const {
    return {day, time_that_shows(day * day_s + hour_ * hour_s + spread_)};
}

std::int64_t ScheduleTimes::period() const {
    return day_ == ScheduleDay::Every ? day_s : days_of_week * day_s;
}

Slot ScheduleTimes::latest(std::int64_t now) const {
    // From tomorrow on: time zones move.
    auto day = local_day(now) + 1;
    for (;; --day)
        if (is_on(day) && on(day).time <= now) return on(day);
}

std::int64_t ScheduleTimes::due(const SlotDone& done, std::int64_t now, std::int64_t now_running_ms) const {
    if (const auto last = latest(now); last.day > done.day) return last.time;
    const auto passed = (now_running_ms - done.running_ms) / 1000;
    for (auto day = local_day(now) - 1;; ++day) {
        if (!is_on(day)) continue;
        const auto slot = on(day);
        const bool again = passed + slot.time - now >= period() - slack_s;
        if (slot.time > now && (day > done.day || again)) return slot.time;
    }
}

}  // namespace clamscanner
