// Copies of one content within a job: one of them is scanned, and its verdict is that of all. Kept by the coordinator.
//
// A final verdict holds for every file of the job with the same bytes. The coordinator hashes those bytes itself: a
// worker that was taken over can lie about the files it was handed, and so about their copies, but it cannot pass off a
// verdict on one content as a verdict on another. The hashed bytes are the scanned ones: changes in memory are written
// out first, so that any later change shows in the stamp, which is compared after the hash and after the scan. A file
// without a stamp, or changed too recently, is never treated as a copy. The stamp alone is not enough: on ext4 an owner
// can turn blocks of a file into zeros without a new change time (EXT4_IOC_MOVE_EXT), so a file that vouches for copies
// is hashed before its scan and again after it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobs/engine/scanned_file.h"

namespace clamscanner {

class Copies {
 public:
    // `most_waiting`: further copies are scanned themselves.
    explicit Copies(std::size_t most_waiting) : most_waiting_(most_waiting) {}

    // The virus found in this content, "" if it was clean; nullptr: there is no verdict on it yet.
    [[nodiscard]] const std::string* virus_in(const Content& content) const;
    void remember(const Content& content, const std::string& virus);

    // Has the file wait for the verdict on another one with its content. False if it is the first: others may wait for
    // it from now on.
    [[nodiscard]] bool wait_for_another(const FilePtr& file);
    // The files that waited for this one, whose verdict is final now.
    [[nodiscard]] std::vector<FilePtr> take_waiting(ScannedFile& file);

 private:
    const std::size_t most_waiting_;
    std::size_t waiting_ = 0;
    // Both bounded.
    std::map<Content, std::weak_ptr<ScannedFile>> under_way_;
    std::map<Content, std::string> viruses_;
};

}  // namespace clamscanner
