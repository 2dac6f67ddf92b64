// A log in the account's home: a copy of what jobd's database holds, for people and their tools. We never read it. It
// is created under another name, renamed, and then appended to. If anybody edits, replaces or removes it meanwhile, it
// is no longer "whole", and is written again.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

class HomeLog {
 public:
    // `home` must stay open as long as this lives.
    HomeLog(int home, std::string name) : home_(home), name_(std::move(name)) {}

    // Replaces whatever is there by an empty log. Errors are stored in problem(), never thrown.
    void begin();
    // `line` without its newline.
    void append(const std::string& line);
    // Whether the log in the home holds exactly what was appended since begin(). If so, it is durable.
    [[nodiscard]] bool whole();
    // Why it is not whole, for the owner to read.
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
