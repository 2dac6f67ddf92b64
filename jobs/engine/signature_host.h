// The process that holds the compiled signatures. The engine forks it at the first job; it is single-threaded and forks
// a coordinator for each job. It ends when the engine has closed its socket and the last job is over.
#pragma once

#include "auth/base/unique_fd.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/job_count.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// Called in a fresh child of the engine. `directory` is for temporary files; the engine removes it. On the socket
// `engine` it receives NewJob with three or four descriptors (jobd's connection, the runner's socket, a lifeline, the
// registry of known contents), SignaturesBroken and UseRegistry; it sends SignaturesLoaded first, then JobEnded and
// SignaturesChanged.
[[noreturn]] void run_signature_host(const Settings& config, JobCount& jobs, Trial trial, const std::string& directory,
                                     UniqueFd engine) noexcept;

}  // namespace clamscanner
