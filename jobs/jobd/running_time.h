// How long the host has been running since jobd's database was made, as far as jobd saw it: CLOCK_BOOTTIME, added up
// over reboots and restarts. It knows nothing of the time of day, so nobody who sets the clock, wrongly or for a
// moment, makes anything older. Never too much: what passed between the last save() and a reboot is left out, and the
// time that the host was off. Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <functional>

#include "jobs/jobd/ledger_database.h"

namespace clamscanner {

[[nodiscard]] std::int64_t milliseconds_since_boot();

class RunningTime {
 public:
    // `database` must outlive this. `since_boot`: tests have a clock of their own.
    explicit RunningTime(LedgerDatabase& database, std::function<std::int64_t()> since_boot = milliseconds_since_boot);
    // In milliseconds. It never falls while jobd runs.
    [[nodiscard]] std::int64_t now() const;
    // Call it from time to time.
    void save();

 private:
    [[nodiscard]] static std::int64_t added(std::int64_t total, std::int64_t saved_at, std::int64_t since_boot);

    LedgerDatabase& database_;
    std::function<std::int64_t()> since_boot_;
    std::int64_t total_ = 0;
    std::int64_t at_ = 0;  // since_boot_() when total_ was right
};

}  // namespace clamscanner
