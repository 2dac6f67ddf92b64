// A log in the account's home: a faithful copy, for people and their tools, of what jobd's database holds. It is never
// read by us. Begun beside and renamed in, then appended to; whoever edits, replaces or removes it meanwhile makes the
// copy "not whole", and it is made anew.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

class HomeLog {
 public:
    // `home` stays open as long as this lives.
    HomeLog(int home, std::string name) : home_(home), name_(std::move(name)) {}

    // An empty log in the place of whatever is there. Any fault is remembered, none is thrown.
    void begin();
    // `line` without its newline.
    void append(const std::string& line);
    // Whether the log in the home holds just what was appended since begin(). Durable when it says so.
    [[nodiscard]] bool whole();
    // For the owner: why it is not.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
    void fail(const char* attempted);
    int home_;
    std::string name_;
    UniqueFd file_;
    off_t size_ = 0;
    std::string problem_;
};

}  // namespace clamscanner
