#include "jobs/jobd/scan_endings.h"

namespace clamscanner {
namespace {

constexpr auto longest_piece = std::chrono::milliseconds(2);

}  // namespace

void ScanEndings::begin(TaskId scan, const std::string& home, Outcome outcome, const std::string& why) {
    if (contains(scan)) return;
    context_.ledger.tasks().set_outcome(scan, outcome, why);
    resume(scan, home);
}

void ScanEndings::resume(TaskId scan, const std::string& home) {
    endings_[scan] = std::make_unique<Ending>(Ending{EndOfScan(context_.config, context_.ledger, scan, home), {}});
    proceed(scan);
}

void ScanEndings::proceed(TaskId scan) {
    auto& ending = *endings_.at(scan);
    const auto until = Clock::now() + longest_piece;
    while (ending.end.step())
        if (Clock::now() >= until) {
            ending.next_piece = context_.loop.after(std::chrono::milliseconds(0), [this, scan] { proceed(scan); });
            return;
        }
    endings_.erase(scan);
}

}  // namespace clamscanner
