#include "jobs/engine/huge_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // linux/mman.h since 6.1
#endif

namespace clamscanner {
namespace {

constexpr std::size_t huge_page = 2 * 1024 * 1024;
constexpr std::size_t at_once = 8 * huge_page;
constexpr std::size_t most_failed = 64;  // pages, each of which may cost the kernel a search

}  // namespace

// A line of /proc/self/maps (proc(5)): begin-end permissions offset device inode, and a name if it has one.
HugePages::HugePages() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        Range range;
        char dash = 0;
        std::string permissions;
        std::string offset;
        std::string device;
        std::string inode;
        std::string name;
        fields >> std::hex >> range.begin >> dash >> range.end >> permissions >> offset >> device >> inode >> name;
        if (permissions != "rw-p" || inode != "0" || (!name.empty() && name != "[heap]")) continue;
        range.begin = (range.begin + huge_page - 1) / huge_page * huge_page;
        range.end = range.end / huge_page * huge_page;
        if (range.begin < range.end) ranges_.push_back(range);
    }
}

bool HugePages::move_some() {
    if (ranges_.empty()) return false;
    auto& range = ranges_.back();
    const auto bytes = std::min(at_once, range.end - range.begin);
    range.end -= bytes;
    const auto begin = range.end;
    if (range.begin == range.end) ranges_.pop_back();
    // The kernel goes no further than to what it cannot move: part of it may have been given back meanwhile, or no huge
    // page may be free. The rest may do all the same.
    if (!move(begin, bytes))
        for (auto page = begin; page < begin + bytes; page += huge_page) {
            if (move(page, huge_page)) continue;
            ++failed_;
            // EINVAL: an older kernel, or nothing is there any more.
            if (errno != EINVAL) left_.push_back({page, page + huge_page});
        }
    if (failed_ > most_failed) leave_for_later();
    return !ranges_.empty();
}

void HugePages::leave_for_later() {
    if (!left_.empty()) left_.insert(left_.end(), ranges_.begin(), ranges_.end());
    ranges_.clear();
}

bool HugePages::try_again() {
    ranges_ = std::exchange(left_, {});
    failed_ = 0;
    return !ranges_.empty();
}

bool HugePages::move(std::size_t begin, std::size_t bytes) {
    // The address comes from the kernel's own list.
    if (::madvise(reinterpret_cast<void*>(begin), bytes, MADV_COLLAPSE) != 0)  // NOLINT(performance-no-int-to-ptr)
        return false;
    moved_ += bytes;
    return true;
}

}  // namespace clamscanner
