// The scans that end before they are complete: each takes a while, piece by piece, so that others are served meanwhile.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "jobs/jobd/job.h"
#include "jobs/jobd/unreached_files.h"

namespace clamscanner {

class ScanEndings {
 public:
    explicit ScanEndings(const JobContext& context) : context_(context) {}

    // Records how the scan ends. What a few milliseconds suffice for is done at once; the rest is done even if jobd
    // is restarted (resume()).
    void begin(TaskId scan, const std::string& home, Outcome outcome, const std::string& why);
    // begin() was called for it, perhaps by an earlier jobd.
    void resume(TaskId scan, const std::string& home);
    [[nodiscard]] bool contains(TaskId scan) const { return endings_.contains(scan); }

 private:
    void proceed(TaskId scan);

    JobContext context_;
    struct Ending {
        EndOfScan end;
        EventLoop::Timer next_piece;
    };
    std::map<TaskId, std::unique_ptr<Ending>> endings_;
};

}  // namespace clamscanner
