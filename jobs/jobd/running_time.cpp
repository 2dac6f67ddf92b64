#include "jobs/jobd/running_time.h"

#include <time.h>

#include <utility>

#include "auth/base/checked.h"
#include "auth/base/nanoseconds.h"

namespace clamscanner {

std::int64_t milliseconds_since_boot() {
    timespec now{};
    checked(::clock_gettime(CLOCK_BOOTTIME, &now), "ask how long the host has been running");
    constexpr std::int64_t nanoseconds_in_a_millisecond = 1'000'000;
    return nanoseconds_of(now) / nanoseconds_in_a_millisecond;
}

RunningTime::RunningTime(LedgerDatabase& database, std::function<std::int64_t()> since_boot)
    : database_(database), since_boot_(std::move(since_boot)), at_(since_boot_()) {
    database_.statement<"SELECT total_ms, since_boot_ms FROM running_time WHERE id = 1">().each([&](Row row) {
        total_ = added(row.number(0), row.number(1), at_);
        return false;
    });
    save();
}

// If the host was started anew meanwhile, all of the time since then is added. We may not notice that it was: then it
// has been running for longer than before, and less than what has passed is added.
std::int64_t RunningTime::added(std::int64_t total, std::int64_t saved_at, std::int64_t since_boot) {
    return total + (since_boot >= saved_at ? since_boot - saved_at : since_boot);
}

std::int64_t RunningTime::now() const {
    return added(total_, at_, since_boot_());
}

void RunningTime::save() {
    const auto at = since_boot_();
    total_ = added(total_, at_, at);
    at_ = at;
    database_.write();
    database_.statement<"UPDATE running_time SET total_ms = ?, since_boot_ms = ? WHERE id = 1">().run(total_, at_);
}

}  // namespace clamscanner
