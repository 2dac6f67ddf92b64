// Times of files as one number, as they are compared, sent and stored: nanoseconds since the epoch.
#pragma once

#include <time.h>

#include <cstdint>

namespace clamscanner {

inline constexpr std::int64_t nanoseconds_of_a_second = 1'000'000'000;

// Of a timespec or a statx_timestamp.
[[nodiscard]] constexpr std::int64_t nanoseconds_of(const auto& time) noexcept {
    return std::int64_t{time.tv_sec} * nanoseconds_of_a_second + time.tv_nsec;
}

// The same before the epoch, where the part of a second counts forward, too.
[[nodiscard]] constexpr timespec timespec_of(std::int64_t nanoseconds) noexcept {
    const auto part = ((nanoseconds % nanoseconds_of_a_second) + nanoseconds_of_a_second) % nanoseconds_of_a_second;
    return {static_cast<time_t>((nanoseconds - part) / nanoseconds_of_a_second), static_cast<long>(part)};
}

}  // namespace clamscanner
