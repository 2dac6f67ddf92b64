// Whether this clamscanner-fleetd is the one that asks the machines. The right goes with the database's connection,
// since the lock does: whoever was cut off writes nothing any more. Used in the database's thread alone.
#pragma once

#include <cstdint>

#include "jobs/fleet/database_thread.h"

namespace clamscanner {

class Leadership {
 public:
    // `thread` must outlive this.
    explicit Leadership(const DatabaseThread& thread) : thread_(thread) {}

    enum class State : std::uint8_t { Other, New, Mine };
    // Takes the lock if nobody has it. New: since this call, so what this process has in memory may be old.
    [[nodiscard]] State take(Postgres& postgres);
    // Throws PostgresError unless it holds the lock: before each writing.
    void require() const;

 private:
    const DatabaseThread& thread_;
    std::uint64_t connection_ = 0;  // with which it holds the lock; 0: none
};

}  // namespace clamscanner
