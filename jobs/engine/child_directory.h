// A directory for the temporary files of a child process. It belongs to the parent, so that nothing is left when the
// child is killed: make it before the fork, and destroy it once the child was reaped. What the child's own children,
// which are dying then, would still make in it fails. Used by the engine and by its signature host.
#pragma once

#include <string>

namespace clamscanner {

class ChildDirectory {
 public:
    // Makes a directory with a random name and mode 0700 in `parent`. Throws std::system_error.
    explicit ChildDirectory(const std::string& parent);
    // Removes it with all that is in it. A child that inherited this object must end by _exit().
    ~ChildDirectory();
    ChildDirectory(const ChildDirectory&) = delete;
    ChildDirectory& operator=(const ChildDirectory&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
    std::string path_;
};

}  // namespace clamscanner
