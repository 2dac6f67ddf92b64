// A directory for one test, gone afterwards.
#pragma once

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {

struct TemporaryDirectory {
    explicit TemporaryDirectory(const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
        path = (parent / "clamscanner_test.XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr) throw_errno("make a directory for the test");
        fd.reset(checked(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open the test's directory"));
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    void write(const std::string& name, const std::string& content) const {
        const std::filesystem::path file = path + "/" + name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << content;
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(path + "/" + name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] bool has(const std::string& name) const {
        return std::filesystem::exists(std::filesystem::symlink_status(path + "/" + name));
    }

    std::string path;
    UniqueFd fd;
};

}  // namespace clamscanner
