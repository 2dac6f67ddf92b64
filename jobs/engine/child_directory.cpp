#include "jobs/engine/child_directory.h"

#include <sys/stat.h>

#include <filesystem>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/random.h"

namespace clamscanner {

ChildDirectory::ChildDirectory(const std::string& parent) : path_(parent + "/" + random_hex(8)) {
    checked(::mkdir(path_.c_str(), 0700), "make a directory for temporary files");
}

ChildDirectory::~ChildDirectory() {
    std::error_code problem;
    std::filesystem::remove_all(path_, problem);
    if (problem) log_line(Severity::Warning, "temporary files are left in " + path_ + ": " + problem.message());
}

}  // namespace clamscanner
