// The registry of known contents: one process of the engine's, which no runner and no account speaks to, and which
// knows what contents are clean whichever account's they are. Forked by the engine's main process at the first job, and
// again when it has ended; what is not yet on the disk then is lost, and costs another scan.
//
// Coordinators ask it about contents by their hashes, which they have computed themselves. No worker's verdict ever
// gets here: a worker that a hostile file took over can lie about the files of its account alone. What enough accounts
// have met is judged by itself instead: a coordinator sends a sealed copy of the bytes, the registry hashes the copy
// (sealed_copy.h) and hands it to a judge (judge.h), which has it scanned by a process that has read nothing else and
// reads nothing else afterwards. Without a judge for the signatures that a job scans with, nothing is known to that
// job.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// Larger contents are not known: they are not hashed before their scan, either.
inline constexpr std::uint64_t most_known_bytes = 8 * 1024 * 1024;
// Copies that a coordinator may have under way at once. They are in memory.
inline constexpr std::size_t most_copies_under_way = 8;
// Contents that a coordinator is to send, or has sent, at a time.
inline constexpr std::size_t most_open_cases = 2 * most_copies_under_way;

// Called in a fresh child of the engine, whose other descriptors are closed. Ends when the engine does.
[[noreturn]] void run_registry(const Settings& config, UniqueFd engine) noexcept;

}  // namespace clamscanner
