// The process that reads hostile bytes: forked from the coordinator, it scans the descriptors it is handed and says
// what it thinks of each. It has nothing else: no file of any user, no socket but the one to its coordinator. The
// coordinator takes from it a verdict for the one descriptor it gave, and tests it with a virus of its own.
#pragma once

#include "auth/unique_fd.h"
#include "jobs/clam_engine.h"
#include "jobs/locked_room.h"

namespace clamscanner {

// In a fresh child. Never returns; ends when the coordinator closes the socket or dies.
[[noreturn]] void work(ClamEngine& engine, UniqueFd coordinator, const std::string& temporary_directory,
                       const RoomLimits& limits) noexcept;

}  // namespace clamscanner
