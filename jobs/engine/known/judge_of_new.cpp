#include "jobs/engine/known/judge_of_new.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "auth/base/checked.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/huge_pages.h"
#include "jobs/engine/known/judge.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/new_signatures.h"

namespace clamscanner {
namespace {

std::string make_directory(const std::string& path) {
    checked(::mkdir(path.c_str(), 0700), "make a directory for the judge of new signatures");
    return path;
}

void judge(const Settings& config, const std::string& directory, UniqueFd registry) {
    const auto written = make_directory(directory + "/new");
    auto found = write_new_signatures(config, written);
    if (!found) return;
    auto with_new = config;
    with_new.paths.signature_directory = written + new_in;
    with_new.paths.embedded_signature_directory = written + others_in;
    ClamEngine engine(with_new, make_directory(directory + "/tmp"));
    if (!engine.problem().empty()) throw SignatureError(engine.problem());
    HugePages pages;
    while (pages.move_some()) {
    }
    log_line(Severity::Info, "contents that were clean before are judged with " + std::to_string(engine.signatures()) +
                                 " signatures, the new ones and those that others depend on");
    run_judge(with_new, engine, {std::move(found->fingerprint), std::move(found->bases)},
              make_directory(directory + "/root"), std::move(registry));
}

}  // namespace

void run_judge_of_new(const Settings& config, const std::string& directory, UniqueFd registry) noexcept {
    try {
        reset_signals();
        ignore_stray_signals();
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the engine");
        checked(::prctl(PR_SET_NAME, "scan-judge-new"), "take a name");
        judge(config, directory, std::move(registry));
        ::_exit(0);
    } catch (const std::exception& fault) {
        log_line(Severity::Warning,
                 std::string("all that was judged before is judged with all signatures again: ") + fault.what());
        ::_exit(judge_is_useless);
    }
}

}  // namespace clamscanner
