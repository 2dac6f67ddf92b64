// The process that reads hostile bytes. Forked from the coordinator, it scans the descriptors that it is handed and
// answers with a verdict on each. It has no other access: no user's files, and no sockets but those to its coordinator.
// The coordinator accepts from it only a verdict on the descriptor that it sent, and tests it with test viruses.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/worker/sandbox.h"

namespace clamscanner {

// The worker's ends. There are two sockets because the coordinator keeps a copy of this end of `requests`, to take back
// requests that the worker has not read; `answers` has no copy, so each side sees there when the other ends.
struct WorkerSockets {
    UniqueFd requests;
    UniqueFd answers;
    int lifeline = -1;  // kept open and not used: others see by it when the worker is gone; or -1
};

// Called in a fresh child. Never returns; the process ends when the coordinator dies or takes no answers.
[[noreturn]] void run_worker(ClamEngine& engine, WorkerSockets coordinator, const std::string& temporary_directory,
                             const SandboxLimits& limits) noexcept;

}  // namespace clamscanner
