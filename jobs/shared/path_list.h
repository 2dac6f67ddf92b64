// A list of paths in a file: appended while walking and read from the start while scanning, so that memory does not
// grow with the home. The runner writes it into a file of jobd's; a reader trusts none of its lengths.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/base/unique_fd.h"

namespace clamscanner {

class PathList {
 public:
    // Reads from this byte on, where a path must begin.
    explicit PathList(UniqueFd file, std::uint64_t offset = 0);
    void append(std::string_view path);  // throws std::system_error (no room)
    // Writes everything to the disk. Returns the file's length.
    [[nodiscard]] std::uint64_t finish();
    // False at the end. Throws Malformed.
    [[nodiscard]] bool next(std::string& path);
    // Of the byte where the next path begins.
    [[nodiscard]] std::uint64_t offset() const noexcept {
        return static_cast<std::uint64_t>(read_to_) - (in_.size() - at_);
    }

 private:
    void flush();
    void refill();
    UniqueFd file_;
    std::string out_;
    std::string in_;
    std::size_t at_ = 0;
    off_t read_to_ = 0;
};

}  // namespace clamscanner
