// The engine's current number of jobs, shared with all coordinators, so that together they use no more cores than one
// job would. It is one page of memory, written by the engine, read by the coordinators and unmapped in the workers.
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
        if (page_ == MAP_FAILED) throw_errno("make the shared job count");
        new (page_) Count(0);
    }
    ~JobCount() { unmap(); }
    JobCount(const JobCount&) = delete;
    JobCount& operator=(const JobCount&) = delete;

    void set(std::size_t jobs) noexcept { count()->store(jobs, std::memory_order_relaxed); }

    // How many of its `workers` each job may use now; at least one.
    [[nodiscard]] std::size_t share_of(std::size_t workers) const noexcept {
        const auto jobs = std::max<std::size_t>(count()->load(std::memory_order_relaxed), 1);
        return std::max<std::size_t>(workers / jobs, 1);
    }

    // For a child process, irreversibly: coordinators may only read, workers unmap the page.
    void make_read_only() { checked(::mprotect(page_, size, PROT_READ), "make the job count read-only"); }
    void unmap() noexcept {
        if (page_ != MAP_FAILED) ::munmap(page_, size);
        page_ = MAP_FAILED;
    }

 private:
    using Count = std::atomic<std::size_t>;
    static_assert(Count::is_always_lock_free, "needed to share it between processes");
    static constexpr std::size_t size = 4096;
    [[nodiscard]] Count* count() const noexcept { return static_cast<Count*>(page_); }
    void* page_;
};

}  // namespace clamscanner
