// Finds the files that keep a signature directory from being loaded: one file that libclamav does not accept has it
// load none. Each is tried in a process of its own, as a bad one may also end the process.
#pragma once

#include <string>
#include <vector>

namespace clamscanner {

struct LeftOutFile {
    std::string name;
    std::string why;
    bool operator==(const LeftOutFile&) const = default;
};

enum class TriedFiles { AllButSignedDatabases, SignedDatabases };

// Directories, pipes and the like with the name of a signature file: the library would read on and on, or wait.
[[nodiscard]] std::vector<LeftOutFile> entries_that_are_no_files(const std::string& directory);

// Those of the directory's files that do not load on their own. cl_init() was called before.
[[nodiscard]] std::vector<LeftOutFile> files_that_do_not_load(const std::string& directory, TriedFiles which);

// A directory of links to the files of another one, except those left out: the library loads the files of a directory
// in an order of its own. It is removed on destruction.
class DirectoryOfTheRest {
 public:
    DirectoryOfTheRest(std::string path, const std::string& directory, const std::vector<LeftOutFile>& left_out);
    ~DirectoryOfTheRest();
    DirectoryOfTheRest(const DirectoryOfTheRest&) = delete;
    DirectoryOfTheRest& operator=(const DirectoryOfTheRest&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
    const std::string path_;
};

}  // namespace clamscanner
