#include "jobs/jobd/change_texts.h"

#include <cstdio>

#include "auth/base/utc_text.h"
#include "jobs/shared/scan_types.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_shown_path = 200;
constexpr const char* local_mailbox = "the account's mailbox on this host";

bool is_inside_character(char byte) {
    constexpr unsigned mask = 0xc0;
    constexpr unsigned continues = 0x80;
    return (static_cast<unsigned char>(byte) & mask) == continues;
}

// Not in the middle of a character of UTF-8.
std::string first_bytes(std::string text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && is_inside_character(text[limit])) --limit;
    text.resize(limit);
    return text;
}

// The end says more of a long one than its beginning.
std::string shown(const std::string& path) {
    if (path.size() <= longest_shown_path) return path;
    auto from = path.size() - longest_shown_path;
    while (from < path.size() && is_inside_character(path[from])) ++from;
    return "…" + path.substr(from);
}

std::string find_text(const std::string& path, const std::string& virus) {
    return shown(path) + " (" + virus + ")";
}

// The reason comes last: it may be cut.
std::string with_reason(const std::string& what, const Ignoring& ignoring) {
    auto text =
        what + (ignoring.expires_ms == 0 ? "; for ever"
                                         : "; until " + utc_text(ignoring.expires_ms / 1000, "%Y-%m-%d %H:%M UTC"));
    if (!ignoring.reason.empty()) text += "; reason: " + ignoring.reason;
    return first_bytes(std::move(text), longest_message);
}

std::string text_of(const Schedule& schedule) {
    if (!schedule.on) return "never";
    char hours[sizeof "from 00:00 to 00:00"];
    constexpr int hours_of_day = last_hour_of_day + 1;
    std::snprintf(hours, sizeof hours, "from %02d:00 to %02d:00", schedule.hour % hours_of_day,
                  (schedule.hour + 1) % hours_of_day);
    return (schedule.day == ScheduleDay::Every ? "daily" : std::string("weekly on ") + name_of(schedule.day)) + " " +
           hours + ", scan of " + std::string(row_of(schedule.scan_type).name);
}

std::string place_of(const std::string& address) {
    return address.empty() ? local_mailbox : address;
}

}  // namespace

std::string ignored_text(const std::string& path, const std::string& virus, const Ignoring& ignoring) {
    return with_reason(find_text(path, virus), ignoring);
}

std::string unignored_text(const std::string& path, const std::string& virus) {
    return first_bytes("that of " + find_text(path, virus), longest_message);
}

std::string time_is_over_text(const std::string& path, const std::string& virus) {
    return first_bytes(unignored_text(path, virus) + "; its time is over", longest_message);
}

std::string ignored_for_all_text(const std::string& path, const std::string& virus, const Ignoring& ignoring) {
    return with_reason("in all accounts; in this one first " + find_text(path, virus), ignoring);
}

std::string found_again_for_all_text(const std::string& path, const std::string& virus) {
    return first_bytes("in all accounts; in this one " + find_text(path, virus) + " is found again", longest_message);
}

std::string schedule_text(const Schedule& before, const Schedule& now) {
    return text_of(now) + "; before: " + text_of(before);
}

std::string address_asked_text(const Notifications& before, const std::string& asked) {
    if (asked != before.address && !asked.empty())
        return "a code was sent to " + asked + "; until it is confirmed, mails go to " + place_of(before.address);
    if (asked != before.address) return std::string("mails go to ") + local_mailbox + "; before: " + before.address;
    if (before.unconfirmed.empty()) return "";
    return "mails go on to " + place_of(before.address) + "; the code that was sent to " + before.unconfirmed +
           " is good no longer";
}

std::string address_confirmed_text(const Notifications& before, const Notifications& now) {
    return "mails go to " + place_of(now.address) + "; before: " + place_of(before.address);
}

std::string mails_text(const Notifications& before, const Notifications& now) {
    if (before.enabled == now.enabled) return "";
    return now.enabled ? "mails about infected files are switched on" : "mails about infected files are switched off";
}

}  // namespace clamscanner
