// The one process that holds the compiled signatures: forked from the engine at the first job, single-threaded, forks a
// coordinator for each job. Ends when the engine closes its socket and the last job is over.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/engine/job_count.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// In a fresh child of the engine. `engine` brings NewJob with two descriptors (jobd's connection, the runner's socket),
// and SignaturesBroken; back go SignaturesLoaded, first, then JobEnded and SignaturesChanged.
[[noreturn]] void hold_signatures(const Settings& config, JobCount& jobs, UniqueFd engine) noexcept;

}  // namespace clamscanner
