// Moves the memory of the loaded signatures into huge pages, so that a fork of the process that holds them copies a
// five-hundredth of its page tables: of 1 GiB in small pages it took 23 ms, of huge pages 1 ms. Every job takes a fork
// for its coordinator and one for each worker. Needs madvise(MADV_COLLAPSE) of Linux 6.1; with an older kernel all
// stays as it is. Run by the signature host, in pieces, while jobs begin.
//
// The kernel may have no huge page free: on a busy machine memory is in small pieces. What is left then can be tried
// later.
#pragma once

#include <cstddef>
#include <vector>

namespace clamscanner {

class HugePages {
 public:
    // Of this process's private memory as it is now.
    HugePages();

    // Moves the next part, some megabytes. False when there is no more, or the kernel cannot, or not now.
    [[nodiscard]] bool move_some();

    // Has move_some() try again what there were no huge pages for. False if nothing is left.
    [[nodiscard]] bool try_again();

    [[nodiscard]] std::size_t moved_bytes() const noexcept { return moved_; }

 private:
    [[nodiscard]] bool move(std::size_t begin, std::size_t bytes);
    void leave_for_later();

    struct Range {
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    std::vector<Range> ranges_;  // to be moved
    std::vector<Range> left_;    // since no huge page was free
    std::size_t moved_ = 0;
    std::size_t failed_ = 0;  // pages of this try
};

}  // namespace clamscanner
