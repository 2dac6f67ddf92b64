// What one step costs, in processor time of this thread: however busy the machine is.
#pragma once

#include <time.h>

#include <chrono>

namespace clamscanner {

// The longest that one turn of jobd's loop may take for one account (README.md). Sanitizers make all code slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::chrono::milliseconds longest_turn{200};
#else
inline constexpr std::chrono::milliseconds longest_turn{20};
#endif

inline std::chrono::nanoseconds processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// In microseconds.
template <class Step>
[[nodiscard]] long long cost_of(Step step) {
    const auto began = processor_time();
    step();
    return std::chrono::duration_cast<std::chrono::microseconds>(processor_time() - began).count();
}

}  // namespace clamscanner
