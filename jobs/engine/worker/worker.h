// The process that reads hostile bytes: forked from the coordinator, it scans the descriptors it is handed and says
// what it thinks of each. It has nothing else: no file of any user, no socket but those to its coordinator. The
// coordinator takes from it a verdict for the one descriptor it gave, and tests it with a virus of its own.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/worker/locked_room.h"

namespace clamscanner {

// The worker's ends. Two, because a question that nobody has read yet can be taken back by the coordinator, which for
// that keeps a copy of this end of `questions`; `answers` has no copy and tells each side of the other's end.
struct WorkerSockets {
    UniqueFd questions;
    UniqueFd answers;
};

// In a fresh child. Never returns; ends when the coordinator dies, or cannot be answered.
[[noreturn]] void work(ClamEngine& engine, WorkerSockets coordinator, const std::string& temporary_directory,
                       const RoomLimits& limits) noexcept;

}  // namespace clamscanner
