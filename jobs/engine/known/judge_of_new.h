// The judge with the signatures alone that are new since contents were judged (new_signatures.h): what was clean before
// an update costs little to judge again. It is a judge like the other one (judge.h) and locked in like it, but not a
// child of the signature host: with the little memory that it has, forks are cheap.
//
// What it does not call clean, for whatever reason, the other judge judges. Without it, that one judges everything.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// Called in a fresh child of the engine, whose other descriptors are closed, once the signature host has loaded what is
// in the signature directory. `directory`: empty, for its files and its root. Ends with 0 when the registry closes its
// end, or if nothing that was judged before counts.
[[noreturn]] void run_judge_of_new(const Settings& config, const std::string& directory, UniqueFd registry) noexcept;

}  // namespace clamscanner
