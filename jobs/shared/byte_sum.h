// Sums of file sizes. A sparse file may claim 2^63-1 bytes, so a sum stops at that number, which is also the largest
// one that the database holds.
#pragma once

#include <algorithm>
#include <cstdint>

namespace clamscanner {

inline constexpr std::uint64_t most_bytes = INT64_MAX;

[[nodiscard]] constexpr std::uint64_t sum_of_bytes(std::uint64_t one, std::uint64_t other) noexcept {
    return one >= most_bytes ? most_bytes : one + std::min(other, most_bytes - one);
}

[[nodiscard]] constexpr std::uint64_t times_bytes(std::uint64_t files, std::uint64_t bytes) noexcept {
    return bytes != 0 && files > most_bytes / bytes ? most_bytes : files * bytes;
}

}  // namespace clamscanner
