// The walk through a home: every regular file below a directory, no symbolic link followed, no special file touched, no
// other file system entered. The list goes to a file of jobd's, so that memory does not grow with the home. What a file
// is, the kernel says of each (fstatat): what a directory says of its entries is not asked.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "jobs/runner/messages.h"
#include "jobs/shared/path_list.h"

namespace clamscanner {

class Walk {
 public:
    struct Told {
        std::function<void(const WalkProgress&)> progress;
        std::function<void(const std::string& relative, UnscannedReason)> unreadable;
    };
    // `home` stays open as long as the walk lives. What `left_out` names is not listed as long as it lies in the
    // quarantine as it is recorded.
    Walk(int home, const std::vector<LeaveOut>& left_out, Told told);

    // Lists what is below `directory` (relative to the home). Throws std::system_error when that itself cannot be
    // opened.
    void list(const std::string& directory, PathList& list);

 private:
    struct Directory {
        std::string path;
        std::uint64_t device = 0;
        std::uint64_t inode = 0;  // 0: of the directory to scan, which is whatever it is
    };
    void list_one(const Directory& directory, PathList& list);
    void take(int parent, const char* name, const std::string& path, PathList& list);
    [[nodiscard]] bool is_left_out(int parent, const char* name, const std::string& path) const;
    void tell_progress(bool walked);

    int home_;
    std::map<std::string, LeaveOut> left_out_;  // by path below the home
    Told told_;
    std::vector<Directory> pending_;  // directories still to be listed, the deepest last
    WalkProgress progress_;
    std::chrono::steady_clock::time_point told_at_;
};

}  // namespace clamscanner
