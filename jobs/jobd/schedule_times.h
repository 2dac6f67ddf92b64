// When a schedule's scans are due, by the calendar of the host's local time. Pure reckoning: the caller says what time
// it is. Used by jobd alone.
//
// A schedule has one slot on each of its days: its hour, and the account's own seconds behind it. A slot is known by
// its day of the local calendar, whatever becomes of the clock: so the hour that daylight saving repeats brings no
// second scan, and the hour that it leaves out comes a little later. Of several missed slots, the latest stands for
// all.
#pragma once

#include <cstdint>
#include <string>

#include "jobs/jobd/messages.h"

namespace clamscanner {

inline constexpr std::uint32_t seconds_of_spread = 3600;

// Where in its hour an account has its slots, so that not all of a host begin at once: always the same for a name.
[[nodiscard]] std::uint32_t spread_of(const std::string& account);

struct Slot {
    std::int64_t day = 0;   // of the local calendar: days since 1970-01-01
    std::int64_t time = 0;  // seconds since the epoch
};

// What was done last.
struct SlotDone {
    std::int64_t day = 0;         // of the latest slot that had come then
    std::int64_t running_ms = 0;  // the host's running time then
};

class ScheduleTimes {
 public:
    // `hour`: in which it is to run, of the schedule's or another. `spread`: seconds behind it.
    ScheduleTimes(ScheduleDay day, std::uint8_t hour, std::uint32_t spread) : day_(day), hour_(hour), spread_(spread) {}

    // The latest that has come. `now`: seconds since the epoch, in all of these.
    [[nodiscard]] Slot latest(std::int64_t now) const;
    // When the next scan is due, in seconds since the epoch: now or earlier if a slot came that is not done. Of slots
    // that are done already, because the clock has been set back, one is due again once the host has been running for a
    // whole period since: a clock that was ahead for a moment stops no schedule.
    [[nodiscard]] std::int64_t due(const SlotDone& done, std::int64_t now, std::int64_t now_running_ms) const;

 private:
    [[nodiscard]] bool is_on(std::int64_t day) const;
    [[nodiscard]] Slot on(std::int64_t day) const;
    [[nodiscard]] std::int64_t period() const;

    ScheduleDay day_;
    std::uint8_t hour_;
    std::uint32_t spread_;
};

// Of the local time.
[[nodiscard]] std::uint8_t local_hour(std::int64_t now);
// How far the local time is ahead of UTC, in seconds.
[[nodiscard]] std::int64_t local_offset(std::int64_t now);
// "2026-03-29 03:25:10 CEST"
[[nodiscard]] std::string local_time(std::int64_t time);

}  // namespace clamscanner
