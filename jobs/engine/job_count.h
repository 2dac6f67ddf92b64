// How many jobs the engine has at the moment, known to the coordinators of all of them: so that together they use no
// more of the machine than one would. One page that the engine writes, its coordinators read, and no worker keeps.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>

#include "auth/base/checked.h"

namespace clamscanner {

class JobCount {
 public:
    JobCount() {
        page_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page_ == MAP_FAILED) throw_errno("make the page that jobs are counted on");
        new (page_) Count(0);
    }
    ~JobCount() { leave(); }
    JobCount(const JobCount&) = delete;
    JobCount& operator=(const JobCount&) = delete;

    void set(std::size_t jobs) noexcept { count()->store(jobs, std::memory_order_relaxed); }

    // Of so many workers, how many each job may use now: one at least.
    [[nodiscard]] std::size_t share_of(std::size_t workers) const noexcept {
        const auto jobs = std::max<std::size_t>(count()->load(std::memory_order_relaxed), 1);
        return std::max<std::size_t>(workers / jobs, 1);
    }

    // In a child, for good: a coordinator may not write, a worker has nothing of it.
    void only_read() { checked(::mprotect(page_, size, PROT_READ), "give up writing a count"); }
    void leave() noexcept {
        if (page_ != MAP_FAILED) ::munmap(page_, size);
        page_ = MAP_FAILED;
    }

 private:
    using Count = std::atomic<std::size_t>;
    static_assert(Count::is_always_lock_free, "or else it would not work between processes");
    static constexpr std::size_t size = 4096;
    [[nodiscard]] Count* count() const noexcept { return static_cast<Count*>(page_); }
    void* page_;
};

}  // namespace clamscanner
