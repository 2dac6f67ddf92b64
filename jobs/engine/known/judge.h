// Has single contents scanned, each by a process of its own that has read nothing hostile before and nothing after it:
// so its word about that content is worth what a scan of a file is worth, for whichever account.
//
// The judge itself is a child of the signature host, with the compiled signatures. It reads no content: it takes
// sealed copies from the registry and forks a child for each. It is locked in: a root directory of its own with nothing
// in it, a list of system calls, no descriptor but the registry's and a test file, no privilege but to mount within
// its own namespace. Before it says that it is ready it has found its test virus, plain and zipped.
//
// A child has a file system in memory of its own, the rest of a worker's sandbox (worker/sandbox.h), the copy, a test
// file, and no connection to anybody: its exit status is all that it can say. "Clean" is said by one status only, and
// only if libclamav and our own rules call the content clean and the test virus was found both before and after it
// (plain: the judge has found it in a ZIP archive, too, and its child is a copy). A crash, a signal, a limit of time,
// memory or temporary files, and any other status say that it is not clean.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/known/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// Called in a fresh child: with all signatures, of the signature host; with those that are new since `bases`
// (new_signatures.h), of the engine. `directory`: empty, becomes its root. Ends with 0 when the
// registry closes its end, with judge_is_useless if no content can be judged here (there are no user namespaces, no
// Landlock, or the test virus is not found), and with judge_forks_slowly if the memory of the signatures is not in huge
// pages, so that a judgement would cost more than scans do.
[[noreturn]] void run_judge(const Settings& config, ClamEngine& engine, JudgeReady ready, const std::string& directory,
                            UniqueFd registry) noexcept;

inline constexpr int judge_is_useless = 3;
inline constexpr int judge_forks_slowly = 4;

}  // namespace clamscanner
