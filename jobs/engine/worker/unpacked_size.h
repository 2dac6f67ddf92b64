// Unpacks compressed bytes with libarchive without keeping what comes out, to learn how much libclamav should have seen
// of them. Runs in the worker's sandbox, as it reads hostile bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace clamscanner {

enum class Unpacked {
    Whole,
    TooMuch,  // more than the limit
    Damaged,
    Encrypted,
    Unsupported,
};

struct UnpackedSize {
    Unpacked outcome = Unpacked::Damaged;
    std::uint64_t bytes = 0;
};

// Of all streams of a .gz, .bz2, .xz or .lzma file together.
[[nodiscard]] UnpackedSize unpacked_size_of_streams(std::string_view packed, std::uint64_t most);

// Of all members of a 7z archive together.
[[nodiscard]] UnpackedSize unpacked_size_of_7z(std::string_view packed, std::uint64_t most);

}  // namespace clamscanner
