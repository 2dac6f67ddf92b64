// Random names, from the kernel.
#pragma once

#include <sys/random.h>

#include <string>

#include "auth/base/checked.h"

namespace clamscanner {

// Lower-case hex digits, two for each byte.
[[nodiscard]] inline std::string hex(const void* bytes, std::size_t count) {
    static constexpr char digits[] = "0123456789abcdef";
    const auto* byte = static_cast<const unsigned char*>(bytes);
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text.append({digits[byte[i] >> 4], digits[byte[i] & 15]});
    return text;
}

// `count` random bytes as hex digits.
[[nodiscard]] inline std::string random_hex(std::size_t count) {
    std::string bytes(count, '\0');
    // Up to 256 bytes getrandom() is not interrupted and gives all that was asked for.
    if (checked(::getrandom(bytes.data(), count, 0), "get random bytes") != static_cast<ssize_t>(count))
        throw_errno("get random bytes", EIO);
    return hex(bytes.data(), count);
}

}  // namespace clamscanner
