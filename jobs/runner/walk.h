// Walks a home and lists every regular file below a directory. It follows no symbolic links, touches no special files
// and enters no other file system. The list is written into a file of jobd's, so that memory does not grow with the
// home. It takes the type of each file from fstatat(), never from the directory entry.
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
    struct Callbacks {
        std::function<void(const WalkProgress&)> progress;
        std::function<void(const std::string& relative, UnscannedReason)> unreadable;
        std::function<void(const std::string& relative)> listed;  // each file, in the order of the list
    };
    // `home` must stay open as long as the walk lives. The files in `quarantined` are not listed while they are in the
    // quarantine as recorded.
    Walk(int home, const std::vector<ScanQuarantined>& quarantined, Callbacks callbacks);

    // Lists the files below `directory` (relative to the home). Throws std::system_error if the directory itself cannot
    // be opened.
    void list(const std::string& directory, PathList& list);

 private:
    struct Directory {
        std::string path;
        std::uint64_t device = 0;
        std::uint64_t inode = 0;  // 0 for the directory to scan itself, which is not checked
    };
    struct Parent {
        int fd;
        std::uint64_t device;
    };
    void list_directory(const Directory& directory, PathList& list);
    void visit(const Parent& parent, const char* name, const std::string& path, PathList& list);
    [[nodiscard]] bool is_quarantined(int parent, const char* name, const std::string& path) const;
    void report_progress(bool walked);

    int home_;
    std::map<std::string, ScanQuarantined> quarantined_;  // by path below the home
    Callbacks callbacks_;
    std::vector<Directory> pending_;  // directories still to be listed, the deepest last
    WalkProgress progress_;
    std::chrono::steady_clock::time_point progress_sent_at_;
};

}  // namespace clamscanner
